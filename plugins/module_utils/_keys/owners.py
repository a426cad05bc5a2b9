# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Whom the key files of a host belong to, and what must be corrected about that. Private to the collection.

A key belongs to a user id as well as to a name: a new account with the name of a deleted one does not inherit its key
(`StateDir` treats it as none). Hosts enforced by 0.1.0 may have keys and members of the group under another spelling
than the account's own name; these have no effect.
"""

from __future__ import annotations

from typing import NamedTuple

from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.key_file import KeyFile
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.second_keys import SecondKeys
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.state_dir import KEY_FOLDERS, StateDir
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import is_gone, misspelled


class Misplaced(NamedTuple):
    """A key stored under another spelling of the account's name; the account may also have one under its own name."""

    folder: str
    name: str
    account: str
    account_has_one: bool

    def __str__(self) -> str:
        key = "validated key" if self.folder == "keys" else "pending key"
        if self.account_has_one:
            return f"{key} under the spelling {self.name} moved aside, since the account already has one"
        return f"{key} moved here from the spelling {self.name}"

    def put_right(self, state_dir: StateDir) -> None:
        if self.account_has_one:
            state_dir.put_away(self.folder, self.name)
        else:
            state_dir.rename(self.folder, self.name, self.account)


class Owners:
    """Whom the keys belong to, as of now."""

    def __init__(self, state_dir: StateDir):
        self._state_dir = state_dir
        self.misplaced = [one for folder in KEY_FOLDERS for one in self._misplaced(folder)]

    def _misplaced(self, folder: str) -> list[Misplaced]:
        names = self._state_dir.users(folder)
        taken = set(names)
        found = []
        for name, account in misspelled(names).items():
            if account not in taken or self._state_dir.lent_name(account) != name:
                found.append(Misplaced(folder, name, account, account in taken))
                taken.add(account)
        return found

    def pending(self, user: str) -> KeyFile | None:
        return self._state_dir.pending(self._lies_under("pending", user))

    def validated(self, user: str) -> KeyFile | None:
        return self._state_dir.validated(self._lies_under("keys", user))

    def _lies_under(self, folder: str, user: str) -> str:
        moving = [one for one in self.misplaced if not one.account_has_one]
        return next((one.name for one in moving if (one.folder, one.account) == (folder, user)), user)

    def misplaced_of(self, user: str) -> list[Misplaced]:
        return [one for one in self.misplaced if one.account == user]


class Leaver(NamedTuple):
    """A key of an account that certainly no longer exists on this host."""

    folder: str
    name: str

    def __str__(self) -> str:
        return f"{self.name}: the account is gone, its {'validated' if self.folder == 'keys' else 'pending'} key was moved aside"

    def put_away(self, state_dir: StateDir) -> None:
        state_dir.put_away(self.folder, self.name)
        second = SecondKeys(state_dir)
        for folder in KEY_FOLDERS:
            if second.has(folder, self.name):
                second.put_away(folder, self.name)
        state_dir.records.remove([self.name])


def leavers(state_dir: StateDir) -> list[Leaver]:
    """A directory service that temporarily does not answer makes nobody a leaver."""
    found = [Leaver(folder, name) for folder in KEY_FOLDERS for name in state_dir.users(folder)]
    return [one for one in found if is_gone(one.name, state_dir.recorded_uid(one.folder, one.name) is not None)]
