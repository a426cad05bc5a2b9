# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Records, in addition to the enforced group, which accounts of this host must give a token. Private to the collection.

`enforced/UID` contains the names of the enforced accounts of that user id, one per line. If an unaware tool removes a
member from the group, the record makes the account check still deny that account without a token (docs/fail_closed.md).
The key is the user id because sshd passes the name to PAM as it was typed, and an account may have several names:
everybody with that user id is denied without a token, except under an exempt name, which is recorded as `/NAME`.
"""

from __future__ import annotations

import os
from typing import Iterable

from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import Exemptions, SharedUids, account_uid
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.files import FileChange, apply_all, read_file

_EXEMPT = "/"  # never part of an account name


class EnforcedRecords:
    """The folder of records; the caller holds the lock of the state directory when it changes them."""

    def __init__(self, folder: str):
        self._folder = folder

    def has(self, user: str) -> bool:
        uid = account_uid(user)
        return uid is not None and user in self._names(uid)

    def path(self, user: str) -> str | None:
        uid = account_uid(user)
        return None if uid is None else self._file(uid)

    def users(self) -> set[str]:
        """Excludes users whose account has another user id now, because the name was reused."""
        return {user for uid in self._uids() for user in self._names(uid) if account_uid(user) in (None, uid)}

    def changes(self, users: Iterable[str], exempt: Exemptions | None = None) -> list[FileChange]:
        """The changes that record these users. An account that this host does not know now cannot log in and is
        recorded later."""
        shared = SharedUids()
        wanted: dict[int, set[str]] = {}
        for user in users:
            uid = account_uid(user)
            if uid is not None:
                wanted.setdefault(uid, self._names(uid)).update({user, *_exempt_beside([user], exempt, shared)})
        return [self._change(uid, names) for uid, names in sorted(wanted.items()) if names != self._lines(uid)]

    def add(self, users: Iterable[str], exempt: Exemptions | None = None) -> bool:
        """Returns whether a name was added, or the exempt names beside it have changed."""
        changes = self.changes(users, exempt)
        apply_all(changes)
        return bool(changes)

    def remove(self, users: Iterable[str], exempt: Exemptions | None = None) -> bool:
        """Returns whether a name was removed, including names of accounts that are gone or now have another uid.

        Exempt names beside a name that stays remain recorded: as these lists say or, without lists, as before.
        """
        leaving, shared, changes = set(users), SharedUids(), []
        for uid in self._uids():
            names = self._names(uid)
            stay = names - leaving
            if stay != names:
                beside = self._lines(uid) - names if exempt is None else _exempt_beside(stay, exempt, shared)
                changes.append(self._change(uid, stay | beside if stay else stay))
        apply_all(changes)
        return bool(changes)

    def _change(self, uid: int, names: set[str]) -> FileChange:
        text = "".join(f"{name}\n" for name in sorted(names))
        return FileChange(self._file(uid), text.encode("utf-8", "surrogateescape") or None, 0o600)

    def _uids(self) -> list[int]:
        names = os.listdir(self._folder) if os.path.isdir(self._folder) else []
        return [int(name) for name in names if name.isdigit()]

    def _names(self, uid: int) -> set[str]:
        return {line for line in self._lines(uid) if not line.startswith(_EXEMPT)}

    def _lines(self, uid: int) -> set[str]:
        return set((read_file(self._file(uid)) or b"").decode("utf-8", "surrogateescape").splitlines())

    def _file(self, uid: int) -> str:
        return os.path.join(self._folder, str(uid))


def _exempt_beside(names: Iterable[str], exempt: Exemptions | None, shared: SharedUids) -> set[str]:
    """The lines for exempt names with the same user id."""
    others = {other for name in names for other in shared.other_names(name)} if exempt else set()
    return {_EXEMPT + other for other in others if exempt and other in exempt}
