# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""On record beside the enforced group: which accounts of this host have to give a token. Private to the collection.

`enforced/UID` holds the names of the enforced accounts of that user id, one a line. The group may lose a member to a tool
that knows nothing of us; the record then keeps the account check closed for that account (docs/fail_closed.md). It goes by
uid, since sshd hands PAM the name as it was typed, and an account may have more names than one: whoever has that user id
is refused without a token, other than by a name that is exempt, which stands there as `/NAME`.
"""

from __future__ import annotations

import os
from typing import Iterable

from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import Exemptions, SharedUids, account_uid
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.files import FileChange, apply_all, read_file

_EXEMPT = "/"  # in no name of an account


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
        """Not those whose account has another user id now: the name was used again."""
        return {user for uid in self._uids() for user in self._names(uid) if account_uid(user) in (None, uid)}

    def changes(self, users: Iterable[str], exempt: Exemptions | None = None) -> list[FileChange]:
        """The changes that put these users on record. An account that this host does not know now cannot log in, and gets
        its record later."""
        shared = SharedUids()
        wanted: dict[int, set[str]] = {}
        for user in users:
            uid = account_uid(user)
            if uid is not None:
                wanted.setdefault(uid, self._names(uid)).update({user, *_exempt_beside([user], exempt, shared)})
        return [self._change(uid, names) for uid, names in sorted(wanted.items()) if names != self._lines(uid)]

    def add(self, users: Iterable[str], exempt: Exemptions | None = None) -> bool:
        """Whether one was added, or the exempt names beside it are others now."""
        changes = self.changes(users, exempt)
        apply_all(changes)
        return bool(changes)

    def remove(self, users: Iterable[str], exempt: Exemptions | None = None) -> bool:
        """Whether one was removed; also those of accounts that are gone, or have another uid now.

        Who is exempt beside a name that stays goes on to be on record: as these lists say, or without them as before.
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
    """The lines for names of the same user id that are exempt."""
    others = {other for name in names for other in shared.other_names(name)} if exempt else set()
    return {_EXEMPT + other for other in others if exempt and other in exempt}
