# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The accounts that could log in to a host, with all their groups. Private to the collection."""

from __future__ import annotations

import grp
import pwd
from collections import defaultdict
from typing import Iterable

from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.config import SshdConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.match import Account
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.account_lookup import account_of
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import has_login_shell


def login_accounts(config: SshdConfig, group: str) -> list[Account]:
    """Accounts with a login shell, and every member of `group`, with all their groups as known to NSS."""
    groups = _Groups(config, group)
    entries = _entries(pwd.getpwall(), groups.members_of(group))
    accounts = [(groups.account(entry), has_login_shell(entry)) for entry in entries]
    return [account for account, can_log_in in accounts if can_log_in or group in account.groups]


def named_accounts(config: SshdConfig, group: str, names: Iterable[str]) -> list[tuple[Account, pwd.struct_passwd]]:
    """Those of the accounts with these names that exist on this host, regardless of their shell."""
    groups = _Groups(config, group)
    return [(groups.account(entry), entry) for entry in _entries((), names)]


class _Groups:
    """Reads all groups once and inverts them. Looking groups up for each user takes seconds if there are many users.

    Groups that the configuration names are also looked up by name, because a directory service may not list its groups.
    """

    def __init__(self, config: SshdConfig, group: str):
        groups = {found.gr_name: found for found in grp.getgrall()}
        for name in {group, *_groups_named(config)} - set(groups):
            try:
                groups[name] = grp.getgrnam(name)
            except KeyError:
                continue
        self._of_user: dict[str, set[str]] = defaultdict(set)
        self._by_id: dict[int, set[str]] = defaultdict(set)
        for found in groups.values():
            self._by_id[found.gr_gid].add(found.gr_name)
            for user in found.gr_mem:
                self._of_user[user].add(found.gr_name)

    def members_of(self, group: str) -> set[str]:
        return {user for user, groups in self._of_user.items() if group in groups}

    def account(self, entry: pwd.struct_passwd) -> Account:
        own = self._of_user.get(entry.pw_name, set()) | self._by_id.get(entry.pw_gid, set())
        return Account(entry.pw_name, entry.pw_uid, frozenset(own))


def _entries(known: Iterable[pwd.struct_passwd], names: Iterable[str]) -> list[pwd.struct_passwd]:
    """The listed entries, and those of names that a directory service may not list."""
    entries = {entry.pw_name: entry for entry in known}
    for user in set(names) - set(entries):
        found = account_of(user)
        if found is not None:
            entries[user] = found
    return list(entries.values())


def _groups_named(config: SshdConfig) -> set[str]:
    """Group names without wildcards in Match, Allow and Deny lines."""
    lists = [pattern for match in config.matches for name, pattern in match.criteria if name == "group"]
    lists += [name for d in config.directives if d.keyword in ("allowgroups", "denygroups") for name in d.arguments]
    names = {name.lstrip("!") for patterns in lists for name in patterns.split(",")}
    return {name for name in names if name and not set(name) & set("*?")}
