# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.accounts import login_accounts
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.config import SshdConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system import accounts as system_accounts
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import (
    EnforcedGroup,
    Exemptions,
    account_exists,
    human_accounts,
)
from ansible_collections.fleetmfa.ssh.tests.support.work import calls_made


def test_human_accounts(accounts):
    Path("/etc/login.defs").write_text("# UID_MIN 1\nUID_MIN\t20000\nUID_MAX   59999\nUID_MAX\n")
    accounts.add("daemon-like", login_shell="/usr/sbin/nologin")
    accounts.add("no-shell", login_shell="/bin/false")
    accounts.add("sync-only", login_shell="/bin/sync")
    accounts.add("copies", login_shell="/usr/bin/rsync")
    accounts.add("no-shell-named", login_shell="")
    accounts.add("too-low", first_uid=1)
    accounts.add("too-high", first_uid=60000)
    can_log_in = ["alice", "bob", "carol", "copies", "no-shell-named"]
    assert human_accounts() == can_log_in
    judged = {account.name for account in login_accounts(SshdConfig("/dev/null"), "mfa-enforced")}
    assert judged >= {*can_log_in, "too-low", "too-high"}
    assert not judged & {"daemon-like", "no-shell", "sync-only"}


def test_account_exists(accounts):
    assert account_exists("alice")
    assert not account_exists("nobody-of-that-name")


def test_exemptions(accounts):
    accounts.add_group("breakglass", ["bob"])
    exempt = Exemptions(["carol", "unknown"], ["breakglass", "no-such-group"])
    assert [user in exempt for user in ("alice", "bob", "carol", "unknown", "ghost")] == [
        False,
        True,
        True,
        True,
        False,
    ]
    assert "alice" in Exemptions(groups=["alice"]), "the primary group counts"
    assert "alice" not in Exemptions()


def test_group_is_made_and_filled(accounts):
    group = EnforcedGroup("mfa-enforced")
    assert not group.exists
    group.prepare()
    group.prepare()
    assert group.exists
    assert group.members == set()
    assert group.update(join=["alice", "bob"])
    assert not group.update(join=["alice"], leave=["carol"])
    assert group.update(join=["carol"], leave=["alice"])
    assert group.members == {"bob", "carol"}


def test_a_thousand_members_in_one_call(accounts):
    users = [f"user{number}" for number in range(1000)]
    accounts.add(*users)
    group = EnforcedGroup()
    group.prepare()
    group.update(join=["alice"])

    def join_and_leave(some):
        assert group.update(join=some)
        assert group.members == {*some, "alice"}
        assert group.update(leave=some)
        assert group.members == {"alice"}

    assert calls_made(lambda: join_and_leave(users)) < 20 * calls_made(lambda: join_and_leave(users[:100]))


def test_a_member_who_is_unknown_at_this_moment_stays_a_member(accounts):
    """A directory service that does not answer must not release anybody."""
    users = [f"user{number}" for number in range(20)]
    accounts.add("remote", *users)
    group = EnforcedGroup()
    group.prepare()
    group.update(join=["remote"])
    accounts.remove("remote")
    assert group.update(join=users)
    assert group.members == {"remote", *users}
    assert group.update(leave=["remote"])
    assert group.members == set(users)


def test_a_few_changes_leave_room_for_others(accounts, monkeypatch):
    """A change that another program makes between our reading and our writing stays."""
    group = EnforcedGroup()
    group.prepare()
    run = system_accounts._run

    def run_after_another_program(*command):
        run("gpasswd", "--add", "carol", "mfa-enforced")
        run(*command)

    monkeypatch.setattr(system_accounts, "_run", run_after_another_program)
    group.update(join=["alice"])
    assert group.members == {"alice", "carol"}


@pytest.mark.parametrize("name", ["", "-x", "a b", "a:b", "Group", "x" * 33, "a\n"])
def test_group_names_that_are_refused(name):
    with pytest.raises(FleetMfaError, match="group"):
        EnforcedGroup(name)


def test_a_failing_tool_is_reported(accounts):
    group = EnforcedGroup("mfa-enforced")
    with pytest.raises(FleetMfaError, match="gpasswd failed for group mfa-enforced"):
        group.update(join=["alice"])
