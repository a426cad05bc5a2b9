# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Looks up accounts and their groups through NSS, one by one or, while nothing is changed, all at once. Private.

A lookup in /etc/passwd reads the file from its beginning, so ten thousand lookups among ten thousand accounts take a minute.
"""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
from collections import defaultdict
from typing import Callable, Iterator, Union

_Found = Union[pwd.struct_passwd, None]


class _Remembered:
    """What the system lists, read once; names that a directory service knows but does not list are looked up one by one."""

    def __init__(self) -> None:
        self.accounts: dict[str, _Found] = {entry.pw_name: entry for entry in reversed(pwd.getpwall())}
        self.groups: dict[str, set[int]] = defaultdict(set)
        for group in grp.getgrall():
            for user in group.gr_mem:
                self.groups[user].add(group.gr_gid)
        self.local_uids: dict[str, int] | None = None


_remembered: _Remembered | None = None


@contextlib.contextmanager
def remembered_accounts() -> Iterator[None]:
    """Within it, accounts are as they were at its beginning. Only for calls that change nothing, and for planning a change."""
    global _remembered
    before, _remembered = _remembered, _Remembered()
    try:
        yield
    finally:
        _remembered = before


def account_of(user: str) -> pwd.struct_passwd | None:
    """The account that the system's database returns for this name, which may have another spelling."""
    if _remembered is None:
        return _look_up(user)
    if user not in _remembered.accounts:
        _remembered.accounts[user] = _look_up(user)
    return _remembered.accounts[user]


def local_uids_once(read: Callable[[], dict[str, int]]) -> dict[str, int] | None:
    """What `read` makes of this host's own passwd file, read once; None outside of `remembered_accounts`."""
    if _remembered is None:
        return None
    if _remembered.local_uids is None:
        _remembered.local_uids = read()
    return _remembered.local_uids


def _look_up(user: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(user)
    except (KeyError, ValueError):  # a name with a NUL character is a ValueError
        return None


def group_ids_of(account: pwd.struct_passwd, lists_all: bool) -> set[int]:
    """All its groups. `lists_all`: this host has no groups but those that the system lists."""
    if _remembered is None or not lists_all:
        return set(os.getgrouplist(account.pw_name, account.pw_gid))
    return {account.pw_gid} | _remembered.groups.get(account.pw_name, set())
