# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Host keys by name: the same as ssh-keygen finds, and what it does not say."""

from __future__ import annotations

import random
import subprocess

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._login_probe.known_hosts import KnownHosts

# A sound key; the others differ in the last letters, which no reader of the file checks.
KEY = "AAAAC3NzaC1lZDI1NTE5AAAAIGPKSUTyz1HwHReFVvD5obVsALAgJRNarH4TRpNePn"


def line(names, number, marker=""):
    return f"{marker} {names} ssh-ed25519 {KEY}{number:02}".strip()


NAMES = ["web1", "web2.example.com", "192.0.2.7", "[web1]:2222", "[192.0.2.7]:2200", "2001:db8::1"]


@pytest.fixture
def known(tmp_path):
    """known(LINES) -> the numbers of the keys of a host."""

    def known_(*lines):
        path = tmp_path / "known_hosts"
        path.write_text("".join(f"{one}\n" for one in lines))

        def numbers(address, port=22, of="good"):
            keys = KnownHosts([str(path)]).keys_of(address, port)
            return {int(key[len(KEY) :]) for _kind, key in getattr(keys, of)}

        numbers.path = path
        return numbers

    return known_


def test_patterns(known):
    numbers = known(
        "# web1 a comment", "", "web1", line("web1,web3", 1), line("web?", 2), line("*.example.com,!db.example.com", 3),
        line("[web1]:2222", 4), line("[*]:2222", 5), line("WEB1", 6), line("*", 7, "@cert-authority"),
    )  # fmt: skip
    assert numbers("web1") == numbers("Web1") == {1, 2, 6}
    assert numbers("web3") == {1, 2} and numbers("web33") == set()
    assert numbers("a.example.com") == {3} and numbers("db.example.com") == set()
    assert numbers("web1", 2222) == {4, 5} and numbers("web1", 2223) == set()


def test_revoked(known):
    numbers = known(line("web1", 1), line("*", 2, "@revoked"))
    assert numbers("web1") == {1} and numbers("web1", of="revoked") == {2}


def test_the_same_as_ssh_keygen(known):
    chance = random.Random(7)
    lines = [line(",".join(chance.sample(NAMES, chance.randrange(1, 4))), number) for number in range(10, 40)]
    numbers = known(*lines)
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(numbers.path)], check=True, capture_output=True)
    assert numbers.path.read_text().count("|1|") >= 30
    for address, port in (("web1", 22), ("web1", 2222), ("192.0.2.7", 2200), ("192.0.2.7", 22), ("2001:db8::1", 22)):
        name = address if port == 22 else f"[{address}]:{port}"
        found = subprocess.run(
            ["ssh-keygen", "-F", name, "-f", str(numbers.path)], capture_output=True, text=True
        ).stdout
        expected = {int(text[-2:]) for text in found.splitlines() if "ssh-ed25519" in text}
        assert expected and numbers(address, port) == expected


def test_broken_lines_are_passed_over(known):
    assert (
        known("|1|x|y ssh-ed25519 AAAA", "|1| ssh-ed25519 AAAA", "\udc80 a b".encode("utf-8", "replace").decode())(
            "web1"
        )
        == set()
    )


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FleetMfaError, match="known_hosts: .*/nowhere cannot be read: No such file"):
        KnownHosts([str(tmp_path / "nowhere")])
