# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A run that fails tells the truth: whether it changed anything, what it did and what it did not; and the next one heals it."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError, PartlyDoneError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.state_dir import StateDir
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system import accounts
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import EnforcedGroup
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.steps import Step, run_steps

OLD, NEW = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", "KRUGKIDROVUWG2ZAKRUGKIDROVUWG2ZA"
VALIDATED = {"user": "alice", "secret": OLD, "state": "validated"}


@pytest.fixture
def locked_group(host):
    """As another program has it while it changes groups; its process is alive, so the lock is no stale one."""
    lock = Path("/etc/group.lock")
    lock.write_text(f"{os.getpid()}\n")
    yield lock
    lock.unlink(missing_ok=True)


def validation(host, user="alice", secret=OLD):
    tokens = [host.token(secret, time.time(), offset) for offset in (-1, 0)]
    return {"validations": [{"user": user, "tokens": tokens}]}


def test_a_locked_group_is_noticed_before_any_key_is_moved(host, locked_group):
    locked_group.unlink()
    host.totp_key({"user": "bob"})
    locked_group.write_text(f"{os.getpid()}\n")
    before = host.snapshot()
    result = host.totp_key(VALIDATED, {"user": "carol"})
    assert result["failed"] and not result["changed"] and "another program is changing accounts" in result["msg"]
    assert host.snapshot() == before
    locked_group.unlink()
    assert host.totp_key(VALIDATED)["changed"]
    assert host.members() == {"alice"}


def test_a_locked_group_costs_no_token(host, locked_group):
    locked_group.unlink()
    host.totp_key({"user": "alice", "secret": OLD})
    locked_group.write_text(f"{os.getpid()}\n")
    before = host.snapshot()
    result = host.run("totp_validate", **validation(host))
    assert result["failed"] and not result["changed"] and result["users"][0]["changed"] is False
    assert host.snapshot() == before
    locked_group.unlink()
    assert host.run("totp_validate", **validation(host))["users"][0]["enforced"]


@pytest.fixture
def lock_after_the_look(monkeypatch, host):
    """Another program takes the lock between our look at it and the joining."""
    host.totp_key({"user": "bob"})
    genuine = EnforcedGroup.update

    def update(self, join=(), leave=()):
        if set(join) - self.members:
            raise FleetMfaError("gpasswd failed for group mfa-enforced: cannot lock /etc/group")
        return genuine(self, join, leave)

    monkeypatch.setattr(EnforcedGroup, "update", update)
    return monkeypatch


def test_totp_key_says_what_was_done(host, lock_after_the_look):
    result = host.totp_key(VALIDATED, {"user": "carol"})
    assert result["failed"] and result["changed"]
    assert "Done before that: the keys of alice, the keys of carol." in result["msg"]
    assert "Not done: 1 users added to mfa-enforced" in result["msg"]
    assert (host.keys("alice"), host.keys("carol"), host.members()) == ("v", "p", set())
    lock_after_the_look.undo()
    assert host.totp_key(VALIDATED)["changed"]
    assert host.members() == {"alice"}


def test_totp_validate_says_what_was_done(host, lock_after_the_look):
    host.totp_key({"user": "alice", "secret": OLD})
    options = validation(host)
    result = host.run("totp_validate", **options)
    assert result["failed"] and result["changed"]
    alice = result["users"][0]
    assert (alice["validated"], alice["changed"], alice["enforced"]) == (True, True, False)
    assert "Not done: who is in mfa-enforced" in result["msg"]
    lock_after_the_look.undo()
    assert host.run("totp_validate", **options)["users"][0]["enforced"]
    assert host.members() == {"alice"}


def test_a_key_that_cannot_be_written(host, monkeypatch):
    host.totp_key({"user": "bob"})
    genuine = StateDir._write

    def write(self, folder, user, *arguments):
        if user == "bob":
            raise FleetMfaError("cannot write: No space left on device")
        genuine(self, folder, user, *arguments)

    monkeypatch.setattr(StateDir, "_write", write)
    first = host.totp_key({"user": "bob", "secret": NEW})
    assert first["failed"] and not first["changed"]
    second = host.totp_key(VALIDATED, {"user": "bob", "secret": NEW}, {"user": "carol"})
    assert second["failed"] and second["changed"]
    assert "Not done: the keys of bob, the keys of carol" in second["msg"]
    assert OLD not in str(second) and NEW not in str(second)
    monkeypatch.undo()
    host.totp_key(VALIDATED, {"user": "bob", "secret": NEW}, {"user": "carol"})
    assert host.members() == {"alice"}


def test_a_group_of_which_one_member_was_changed(host, monkeypatch):
    host.totp_key({"user": "bob"})
    genuine = accounts._run

    def run(command, *arguments):
        if "carol" in arguments:
            raise FleetMfaError("gpasswd failed")
        genuine(command, *arguments)

    monkeypatch.setattr(accounts, "_run", run)
    with pytest.raises(PartlyDoneError):
        EnforcedGroup().update(join=["alice", "carol"])
    with pytest.raises(FleetMfaError) as refused:
        EnforcedGroup().update(join=["carol"])
    assert not refused.value.changed


def test_a_long_list_is_cut():
    def fail():
        raise OSError("no")

    steps = [*(Step(f"step {number}", lambda: None) for number in range(1000)), Step("last", fail)]
    with pytest.raises(PartlyDoneError, match="step 9 and 990 more. Not done: last"):
        run_steps(steps)
    with pytest.raises(FleetMfaError) as first:
        run_steps(steps[::-1])
    assert not first.value.changed
