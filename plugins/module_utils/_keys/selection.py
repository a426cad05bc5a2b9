# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Whom a list of users means: names, and groups such as %admins (the role's variable mfa_users). Private to the collection."""

from __future__ import annotations

import functools
import grp
import pwd
from typing import Iterable, Iterator, NamedTuple

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._misplaced import shown
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import (
    Exemptions,
    account_name,
    group_exists,
    is_named,
)

GROUP_MARK = "%"  # %admins: the members of a group, as sudoers(5) writes it


class SelectedUser(NamedTuple):
    """A user who is in the list by name, or is a member of a group in it."""

    place: str  # `users, entry 3`
    name: str
    by_group: bool


def selected_users(users: Iterable[str]) -> Iterator[SelectedUser]:
    """A group that this host does not have has no members here."""
    members = _Members()
    for number, user in enumerate(users, 1):
        by_group = user.startswith(GROUP_MARK)
        for name in members.of(user[len(GROUP_MARK) :]) if by_group else [user]:
            yield SelectedUser(f"users, entry {number}", name, by_group)


def is_selected(user: str, users: Iterable[str]) -> bool:
    """Whether the list means this account. Also of a directory's group whose members cannot be listed."""
    users = list(users)
    groups = [name[len(GROUP_MARK) :] for name in users if name.startswith(GROUP_MARK)]
    return is_named(user, users) or user in Exemptions(groups=groups)


def refuse_unknown_groups(users: Iterable[str], option: str) -> None:
    """A misspelled group would select nobody, and nobody would notice. `option` is the one that allows it."""
    unknown = [
        f"users, entry {number}: there is no group {shown(user[len(GROUP_MARK) :])} on this host"
        for number, user in enumerate(users, 1)
        if user.startswith(GROUP_MARK) and not group_exists(user[len(GROUP_MARK) :])
    ]
    if unknown:
        raise FleetMfaError(
            f"nothing was changed: {'; '.join(unknown)}; correct the name (mfa_users of the role), create the group, or set "
            f"{option} (mfa_unknown_users of the role) to skip if not every host has it"
        )


class _Members:
    """Of many groups; the accounts are listed once."""

    def of(self, group: str) -> list[str]:
        try:
            entry = grp.getgrnam(group)
        except KeyError:
            return []
        named = [*entry.gr_mem, *self._by_primary_group.get(entry.gr_gid, ())]
        return sorted(set(filter(None, map(account_name, named))))

    @functools.cached_property
    def _by_primary_group(self) -> dict[int, list[str]]:
        found: dict[int, list[str]] = {}
        for account in pwd.getpwall():
            found.setdefault(account.pw_gid, []).append(account.pw_name)
        return found
