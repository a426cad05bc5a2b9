# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Rules of sudo that ask enforced users for nothing: then PAM is not asked either, whatever its service does. Private."""

from __future__ import annotations

import grp
from typing import Iterable

from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit.sudoers import EVERYBODY, Administrator, Sudoers
from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit.sudoers_files import SUDOERS
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.account_lookup import account_of
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import EnforcedGroup, group_ids

SUDO_SERVICES = ("sudo", "sudo-i")


def rules_without_password(group: str, path: str = SUDOERS) -> list[str]:
    """The places of rules by which a member of `group` need not authenticate (NOPASSWD, !authenticate, exempt_group)."""
    members = EnforcedGroup(group).members
    found = [one.place for one in Sudoers(path).without_password if _names_one_of(one, members)]
    return list(dict.fromkeys(found))


def _names_one_of(one: Administrator, members: Iterable[str]) -> bool:
    if one.kind == "user":
        return one.name in (EVERYBODY, *members)
    accounts = [account for account in map(account_of, members) if account is not None]
    if one.kind == "uid":
        return any(str(account.pw_uid) == one.name for account in accounts)
    return any(_group_id(one) in group_ids(account) for account in accounts)


def _group_id(one: Administrator) -> int | None:
    try:
        return int(one.name) if one.kind == "gid" else grp.getgrnam(one.name).gr_gid
    except (KeyError, ValueError):
        return None
