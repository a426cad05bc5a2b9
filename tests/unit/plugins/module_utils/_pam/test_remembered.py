# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The line that knows of an earlier token is a way in of its own, and only the role's own line in its own block is one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.settings import RANGES
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam import remembered
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.config import PamConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.prover import SOMETIMES, prove
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.subject import Subject
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.block import block
from ansible_collections.fleetmfa.ssh.tests.support.token_lines import ROLE, token_lines

PROGRAMS = "/usr/local/libexec/fleetmfa"
GUARD = f"{PROGRAMS}/totp-guard"
MEMBER = Subject(member_of=frozenset({"mfa-enforced"}), has_key=True)
REST = "auth required pam_unix.so\n"
OPEN = f"auth [success=6 default=ignore] pam_exec.so quiet {GUARD} remembered 3600"


def lines(**settings):
    wanted = {"own_service": False, "second_device": False, "remember_seconds": 3600, **settings}
    return token_lines(PROGRAMS, "/var/lib/fleetmfa", **wanted)


def proof_of(text, subject=MEMBER):
    return prove(PamConfig("/nonexistent", {"sshd": text}), "sshd", subject)


def in_block(text):
    return block(text.encode(), "a test").decode() + REST


@pytest.mark.parametrize("second_device", [False, True])
@pytest.mark.parametrize("groups", [[], ["ops", "web"]])
def test_a_way_in_beside_the_token(second_device, groups):
    found = proof_of(in_block(lines(second_device=second_device, remember_groups=groups)))
    assert found.ways_in == [["remembered"], ["token"]] and found.remembered_seconds == 3600
    assert not found.can_succeed_without_token and not found.can_succeed_if_token_module_missing
    assert found.token_asked_when_it_succeeds == SOMETIMES and found.counterexample == []


def test_without_the_setting_nothing_is_remembered():
    found = proof_of(in_block(lines(remember_seconds=0)))
    assert found.ways_in == [["token"]] and found.remembered_seconds == 0


def test_who_is_in_none_of_the_groups_is_asked_each_time():
    text = in_block(lines(remember_groups=["ops", "web"]))
    known = Subject(member_of=frozenset({"mfa-enforced", "mail"}), not_member_of=None, has_key=True)
    assert (proof_of(text, known).ways_in, proof_of(text, known).remembered_seconds) == ([["token"]], 0)
    member = Subject(member_of=frozenset({"mfa-enforced", "web"}), not_member_of=None, has_key=True)
    assert proof_of(text, member).remembered_seconds == 3600


def test_who_is_not_enforced_does_not_get_there():
    found = proof_of(in_block(lines()), Subject(not_member_of=frozenset({"mfa-enforced"}), has_key=False))
    assert found.ways_in == [["password"]] and found.remembered_seconds == 0


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (GUARD, "/usr/local/libexec/other/totp-guard"),
        (GUARD, "/usr/local/libexec/fleetmfa/../totp-guard"),
        (" remembered 3600", " remembered"),
        (" remembered 3600", " remembered 0"),
        (" remembered 3600", " remembered 03600"),
        (" remembered 3600", " remembered 43201"),
        (" remembered 3600", " remembered 3600 ops more"),
        (" remembered 3600", " Remembered 3600"),
        (" remembered 3600", " rememberedX 3600"),
        (" remembered 3600", " attempt remembered 3600"),
        ("pam_exec.so quiet", "pam_exec.so"),
        ("pam_exec.so quiet", "pam_exec.so seteuid"),
        ("pam_exec.so quiet", "pam_exec.so quiet expose_authtok"),
        ("pam_exec.so quiet", "/opt/pam_exec.so quiet"),
        ("pam_exec.so quiet", "pam_script.so quiet"),
        ("[success=6 default=ignore]", "[success=6 default=6]"),
        ("[success=6 default=ignore]", "[success=6 system_err=6 default=ignore]"),
        ("[success=6 default=ignore]", "[success=done default=ignore]"),
        ("[success=6 default=ignore]", "sufficient"),
    ],
)
def test_another_line_is_a_way_in_without_a_token(ours, theirs):
    text = in_block(lines())
    assert ours in text
    changed = "".join(
        line.replace(ours, theirs) if "remembered" in line else line for line in text.splitlines(keepends=True)
    )
    found = proof_of(changed)
    assert found.can_succeed_without_token and found.remembered_seconds == 0 and found.counterexample


@pytest.mark.parametrize(
    "text",
    [
        lines() + REST,
        f"# BEGIN fleetmfa.ssh account check\n{lines()}# END fleetmfa.ssh account check\n{REST}",
        f"# BEGIN somebody\n{lines()}# END somebody\n{REST}",
        f"# BEGIN fleetmfa.ssh\n{lines()}{REST}",
        f"{OPEN}\n" + in_block(lines(remember_seconds=0)) + "auth required pam_permit.so\n" * 4,
        in_block(lines(remember_seconds=0))
        + f"{OPEN}\n"
        + "auth requisite pam_deny.so\n" * 6
        + "auth required pam_permit.so\n",
    ],
    ids=["no block", "another block of ours", "somebody's", "half a block", "above", "below"],
)
def test_a_line_outside_our_block_is_somebody_elses(text):
    found = proof_of(text)
    assert found.remembered_seconds == 0 and ["remembered"] not in found.ways_in


def test_a_line_outside_our_block_opens_the_way():
    assert proof_of(lines() + REST).can_succeed_without_token


def test_what_a_module_asks_for_still_has_to_be_there():
    """With requirements of its own, a proof counts no login as remembered."""
    config = PamConfig("/nonexistent", {"sshd": in_block(lines())})
    found = prove(config, "sshd", MEMBER, required=[lambda line: "claim" in line.arguments])
    assert found.can_succeed_without_token and found.remembered_seconds == 0


def test_one_number_everywhere():
    text = (ROLE / "files/usr/local/libexec/fleetmfa/totp-guard").read_text()
    assert re.search(r"(?m)^MOST_SECONDS=(\d+) ", text)[1] == str(remembered.MOST_SECONDS)
    assert RANGES["remember_seconds"].high == remembered.MOST_SECONDS and RANGES["remember_seconds"].default == 0
    assert remembered.GUARD.startswith(
        re.search(r"(?m)^mfa__program_dir: (\S+)", Path(ROLE / "vars/main/main.yml").read_text())[1]
    )
