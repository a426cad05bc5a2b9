# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the fleetmfa.ssh authors
"""The accounts that could log in to a host, with all their groups. Private to the collection."""

from __future__ import annotations

import grp
import pwd
from collections import defaultdict

from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.config import SshdConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.match import Account
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import has_login_shell


def login_accounts(config: SshdConfig, group: str) -> list[Account]:
    """Accounts with a shell, and every member of `group`; groups as NSS knows them.

    Groups are read once and turned round, not looked up for each user: that is what takes seconds with many users. Groups
    that the configuration names are asked for by name as well, because a directory service need not list its groups.
    """
    groups = {found.gr_name: found for found in grp.getgrall()}
    for name in {group, *_groups_named(config)} - set(groups):
        try:
            groups[name] = grp.getgrnam(name)
        except KeyError:
            continue
    members, by_id = defaultdict(set), defaultdict(set)
    for found in groups.values():
        by_id[found.gr_gid].add(found.gr_name)
        for user in found.gr_mem:
            members[user].add(found.gr_name)
    accounts = [(_account(entry, members, by_id), has_login_shell(entry)) for entry in _entries(members, group)]
    return [account for account, can_log_in in accounts if can_log_in or group in account.groups]


def _entries(members: dict[str, set[str]], group: str) -> list[pwd.struct_passwd]:
    entries = {entry.pw_name: entry for entry in pwd.getpwall()}
    for user in {user for user, groups in members.items() if group in groups} - set(entries):
        try:
            entries[user] = pwd.getpwnam(user)
        except KeyError:
            continue
    return list(entries.values())


def _account(entry: pwd.struct_passwd, members: dict, by_id: dict) -> Account:
    groups = frozenset(members[entry.pw_name] | by_id[entry.pw_gid])
    return Account(entry.pw_name, entry.pw_uid, groups)


def _groups_named(config: SshdConfig) -> set[str]:
    """Plain group names in Match, Allow and Deny lines."""
    lists = [pattern for match in config.matches for name, pattern in match.criteria if name == "group"]
    lists += [name for d in config.directives if d.keyword in ("allowgroups", "denygroups") for name in d.arguments]
    names = {name.lstrip("!") for patterns in lists for name in patterns.split(",")}
    return {name for name in names if name and not set(name) & set("*?")}
