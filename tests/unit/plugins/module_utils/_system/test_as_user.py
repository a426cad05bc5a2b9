# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Work with the rights of a user, in a process for each and in one for all; and accounts that are remembered."""

from __future__ import annotations

import contextlib
import errno
import os
import pwd
import time
from pathlib import Path

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._system import as_user as module
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.account_lookup import account_of, remembered_accounts
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import Exemptions, account_uid, group_ids
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.as_user import as_user, one_child


@pytest.fixture(params=["a process for each", "one for all", "one for all, accounts remembered"])
def way(request, accounts):
    accounts.add_group("staff", ["bob"])
    with contextlib.ExitStack() as stack:
        if request.param.endswith("remembered"):
            stack.enter_context(remembered_accounts())
        if request.param.startswith("one"):
            stack.enter_context(one_child())
        yield request.param


def who():
    return f"{os.geteuid()} {os.getegid()} {sorted(os.getgroups())}".encode()


def read(path):
    return Path(path).read_bytes()


def nothing_comes_back():
    os._exit(3)


def wait():
    time.sleep(3600)
    return b""


def large():
    return b"x" * 1_000_000


def test_rights(way):
    for user in ("alice", "bob", "alice"):
        account = pwd.getpwnam(user)
        groups = sorted(os.getgrouplist(user, account.pw_gid))
        assert as_user(account, who).decode() == f"{account.pw_uid} {account.pw_gid} {groups}"
    assert os.geteuid() == 0


def test_files(way, tmp_path):
    tmp_path.chmod(0o755)
    for parent in list(tmp_path.parents)[:-2]:  # not / and /tmp
        parent.chmod(0o755)
    mine, roots = tmp_path / "mine", tmp_path / "roots"
    mine.write_text("mine")
    roots.write_text("secret")
    alice = pwd.getpwnam("alice")
    os.chown(mine, alice.pw_uid, alice.pw_gid)
    mine.chmod(0o600)
    roots.chmod(0o600)
    assert as_user(alice, read, str(mine)) == b"mine"
    for user, path in (("alice", roots), ("bob", mine)):
        with pytest.raises(PermissionError):
            as_user(pwd.getpwnam(user), read, str(path))
    with pytest.raises(FileNotFoundError):
        as_user(alice, read, str(tmp_path / "none"))
    assert as_user(alice, read, str(mine)) == b"mine"


def test_process_that_ends(way):
    """The next one gets another process."""
    alice = pwd.getpwnam("alice")
    with pytest.raises(OSError) as error:
        as_user(alice, nothing_comes_back)
    assert error.value.errno == errno.EIO
    assert as_user(alice, large) == large()


def test_process_that_does_not_answer(accounts, monkeypatch):
    monkeypatch.setattr(module, "_SECONDS", 0.2)
    alice = pwd.getpwnam("alice")
    with one_child():
        with pytest.raises(OSError) as error:
            as_user(alice, wait)
        assert error.value.errno == errno.EIO
        assert as_user(alice, large) == large()


def test_one_process_for_all(accounts):
    started = []
    with one_child():
        for user in ("alice", "bob", "carol"):
            started.append(as_user(pwd.getpwnam(user), _process))
    assert len(set(started)) == 1 and int(started[0]) != os.getpid()
    assert not Path(f"/proc/{int(started[0])}").exists()


def _process():
    return str(os.getpid()).encode()


def test_remembered_accounts(accounts):
    """As they were, and only within; names that are not listed are looked up."""
    accounts.add_group("staff", ["bob"])
    with remembered_accounts():
        uid = account_uid("alice")
        accounts.remove("alice")
        accounts.add_group("staff", [])
        assert account_uid("alice") == uid and "bob" in Exemptions(groups=["staff"])
        assert account_of("nobody-here") is None and account_of("with\0nul") is None
    assert account_uid("alice") is None and "bob" not in Exemptions(groups=["staff"])


def test_groups_of_a_remembered_account(accounts):
    accounts.add_group("staff", ["bob"])
    bob = pwd.getpwnam("bob")
    expected = set(os.getgrouplist("bob", bob.pw_gid))
    assert group_ids(bob) == expected
    with remembered_accounts():
        assert group_ids(bob) == expected
