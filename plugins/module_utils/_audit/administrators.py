# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Who may act as root on this host: user id 0, and whom sudo lets run commands as root. Private to the collection."""

from __future__ import annotations

import grp
import os
import pwd
import re
from collections import defaultdict
from typing import Iterable, Iterator

from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit.sudoers import EVERYBODY, Administrator, Sudoers
from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit.sudoers_files import SUDOERS
from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.account_lookup import account_of
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.files import read_file

NSSWITCH, DOAS = "/etc/nsswitch.conf", ("/etc/doas.conf", "/etc/doas.d")
_SUDOERS_SERVICE = re.compile(r"^sudoers:(.*)$", re.MULTILINE)


class Administrators:
    """`why` maps each account that this host lists to its reasons; `problems` is what cannot be judged."""

    def __init__(self, sudoers: str = SUDOERS, nsswitch: str = NSSWITCH, doas: Iterable[str] = DOAS):
        read = Sudoers(sudoers)
        self.problems = [*read.problems, *_elsewhere(nsswitch, doas)]
        self.why: dict[str, list[str]] = defaultdict(list)
        self._accounts = pwd.getpwall()
        for account in self._accounts:
            if account.pw_uid == 0:
                self.why[account.pw_name].append("uid 0")
        groups = _GroupMembers(self._accounts)
        for one in read.administrators:
            for user in self._users(one, groups):
                self._add(user, one)

    def _add(self, user: str, one: Administrator) -> None:
        if one.kind in ("group", "gid"):
            self._remember(user, f"{_group_name(one)} group")
        self._remember(user, f"sudoers: {one.place}")

    def _remember(self, user: str, reason: str) -> None:
        if reason not in self.why[user]:
            self.why[user].append(reason)

    def _users(self, one: Administrator, groups: _GroupMembers) -> Iterable[str]:
        if one.kind == "user" and one.name == EVERYBODY:
            return [account.pw_name for account in self._accounts]
        if one.kind == "user":
            account = account_of(one.name)
            return [account.pw_name] if account else []
        if one.kind == "uid":
            return [account.pw_name for account in self._accounts if str(account.pw_uid) == one.name]
        return groups.members(one)


class _GroupMembers:
    """Members of groups, including those whose primary group it is."""

    def __init__(self, accounts: Iterable[pwd.struct_passwd]):
        self._by_primary: dict[int, list[str]] = defaultdict(list)
        for account in accounts:
            self._by_primary[account.pw_gid].append(account.pw_name)

    def members(self, one: Administrator) -> list[str]:
        try:
            group = grp.getgrgid(int(one.name)) if one.kind == "gid" else grp.getgrnam(one.name)
        except (KeyError, ValueError, OverflowError):
            return []
        named = [account.pw_name for account in map(account_of, group.gr_mem) if account]
        return list(dict.fromkeys([*named, *self._by_primary[group.gr_gid]]))


def _group_name(one: Administrator) -> str:
    try:
        return grp.getgrgid(int(one.name)).gr_name if one.kind == "gid" else one.name
    except (KeyError, ValueError, OverflowError):
        return one.name


def _elsewhere(nsswitch: str, doas: Iterable[str]) -> Iterator[str]:
    """Rules that are not in sudoers."""
    try:
        text = (read_file(nsswitch) or b"").decode("utf-8", "replace")
    except FleetMfaError as error:
        yield str(error)
        return
    found = _SUDOERS_SERVICE.search(text)
    others = [
        word for word in (found[1].split("#")[0].split() if found else []) if word not in ("files", "[SUCCESS=return]")
    ]
    if others:
        yield f"{nsswitch}: sudo takes rules from {', '.join(others)} too, which are not read"
    for path in doas:
        if os.path.exists(path):
            yield f"{path}: rules of doas are not read"
