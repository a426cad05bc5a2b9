# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Lines of authorized_keys files; molecule/enrollment/tests/period/test_first_factor.py has the same from real logins."""

from __future__ import annotations

import subprocess

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.public_keys import Accepted, key_line


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    def make(kind, *bits):
        path = tmp_path_factory.mktemp("key") / kind
        subprocess.run(["ssh-keygen", "-q", "-t", kind, *bits, "-N", "", "-f", path], check=True)
        return path.with_suffix(".pub").read_text().strip()

    return {"ed25519": make("ed25519"), "rsa": make("rsa", "-b", "2048"), "ecdsa": make("ecdsa")}


GOOD = [
    "KEY",
    'from="10.0.0.0/8,!10.1.1.1" KEY',
    'command="echo \\"two words\\"",no-pty,NO-X11-forwarding KEY',
    "restrict,pty KEY",
    "verify-required,no-touch-required KEY",
    'expiry-time="29991231" KEY',
    'expiry-time="299912312359Z" KEY',
    'environment="A=b",permitopen="localhost:80",permitlisten="1",tunnel="0" KEY',
]
BAD = {
    "ssh-ed25519": "is no public key",
    "ssh-ed25519 AAAA": "is a damaged ssh-ed25519 key",
    "ssh-ed25519 not-base64!": "is a damaged ssh-ed25519 key",
    "ssh-rsa " + "A" * 64: "is a damaged ssh-rsa key",
    "BEGIN PUBLIC KEY": "is no public key",
    "no-such-option KEY": "has an option that sshd does not know",
    "command=id KEY": "has option command without quotation marks",
    'expiry-time="20200101" KEY': "has expired (expiry-time)",
    'expiry-time="202001011200Z" KEY': "has expired (expiry-time)",
    'expiry-time="tomorrow" KEY': "has expired (expiry-time)",
    "restrict=yes KEY": "has an option that sshd does not know",
    'expiry-time "29990101" KEY': "is no public key",
}


@pytest.mark.parametrize("line", GOOD)
@pytest.mark.parametrize("kind", ["ed25519", "rsa", "ecdsa"])
def test_a_key_that_sshd_takes(key, kind, line):
    found = key_line(line.replace("KEY", key[kind]), Accepted())
    assert (found.trouble, found.is_authority) == ("", False)
    assert found.text.split() == key[kind].split()[:2]


@pytest.mark.parametrize("line", BAD)
def test_what_sshd_passes_over(key, line):
    assert key_line(line.replace("KEY", key["ed25519"]), Accepted()).trouble == BAD[line]


def test_an_authority_is_no_key_of_the_user(key):
    assert key_line(f'cert-authority,principals="a" {key["ed25519"]}', Accepted()).is_authority


def test_algorithms_that_sshd_does_not_accept(key):
    only = Accepted(("ssh-ed25519", "rsa-sha2-*"))
    assert not key_line(key["ed25519"], only).trouble
    assert not key_line(key["rsa"], only).trouble
    assert "does not accept" in key_line(key["ecdsa"], only).trouble
    assert "fewer than 3072 bits" in key_line(key["rsa"], Accepted(rsa_bits=3072)).trouble
