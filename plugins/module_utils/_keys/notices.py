# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Records what users are to be told about their keys, one file for each event (docs/notices.md). Private to the collection.

Programs that change keys only write such a file: whatever becomes of it neither fails nor delays a change. Another program, which
systemd starts as soon as there is one, tells the user (`_notices/`). Nothing is recorded on a host without the settings of that.

A key's file is all that an event is about, so everything that changes keys records the same events (`StateDir`). None of them
contains a secret, a code or a token.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import syslog
import time
from pathlib import Path
from typing import Any, Callable, Iterable

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.key_file import KeyFile
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.private_folder import make_private_folder
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import Exemptions

# There if, and only if, users are told; written by the role.
SETTINGS_PATH = "/etc/fleetmfa/notices.conf"
FOLDER = "notices"
# In that folder: what has not been told yet.
NEW = "new"
# More are dropped: nothing may fill the disk.
MOST_WAITING = 20000


class Notices:
    """Those of one state directory; `by` is who changes its keys: operator, user, store or host."""

    settings_path = SETTINGS_PATH

    def __init__(self, state_dir: str):
        self.path = Path(state_dir) / FOLDER
        self.by = "operator"
        self._validated: set[str] = set()
        self._room: int | None = None

    @property
    def are_on(self) -> bool:
        return os.path.exists(self.settings_path)

    def pending_changed(
        self, user: str, before: KeyFile | None, after: KeyFile, validated: Callable[[str], KeyFile | None]
    ) -> None:
        if not after.same_key(before):
            self.tell(user, "pending", **_device(after), rotation=validated(user) is not None)

    def validated_changed(self, user: str, before: KeyFile | None, after: KeyFile | None) -> None:
        if after is None:
            if before is not None:
                self.tell(user, "removed", **_device(before))
        elif _is_locked(after):
            if not _is_locked(before):
                self.tell(user, "revoked")
        elif not after.same_key(before):
            self._validated.add(user)
            self.tell(user, "validated", **_device(after), replaced=before is not None)
        elif before is not None and not set(after.recovery_codes) <= set(before.recovery_codes):
            self.tell(user, "recovery_codes_changed", recovery_codes=len(after.recovery_codes))

    def membership_changed(self, before: set[str], after: set[str], exempt: Exemptions) -> None:
        """`before` and `after` are the members of the enforced group."""
        self.joined(after - before)
        for user in sorted(before - after):
            if user in exempt:
                self.tell(user, "exempted")

    def joined(self, users: Iterable[str]) -> None:
        """Not those who have just been told that their key is validated, which says it."""
        for user in sorted(set(users) - self._validated):
            self.tell(user, "enforced")

    def tell(self, user: str, event: str, **details: Any) -> None:
        """Never fails: what cannot be recorded is a line in the log."""
        if not self.are_on:
            return
        now = time.time()
        notice = {"event": event, "user": user, "time": now, "by": self.by, "details": details}
        try:
            self._record(notice, f"{time.time_ns():020}-{secrets.token_hex(6)}")
        except (FleetMfaError, OSError, ValueError) as error:
            log(f"user {user}: {event}: not told: {error}")

    def _record(self, notice: dict[str, Any], name: str) -> None:
        new = self.path / NEW
        if self._room is None:
            for folder in (self.path, new):
                make_private_folder(str(folder))
            self._room = MOST_WAITING - len(os.listdir(new))
        if self._room <= 0:
            raise FleetMfaError(f"more than {MOST_WAITING} notices are waiting")
        draft = self.path / name
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="ascii") as handle:
                json.dump(notice, handle)
            os.rename(draft, new / name)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(draft)
            raise
        self._room -= 1


def log(text: str) -> None:
    """One line of the system's log."""
    syslog.openlog("mfa-notice", syslog.LOG_PID, syslog.LOG_AUTHPRIV)
    with contextlib.suppress(ValueError, UnicodeError):
        syslog.syslog(syslog.LOG_NOTICE, text.encode("ascii", "replace").decode("ascii"))


def _is_locked(key: KeyFile | None) -> bool:
    return key is not None and bool(key.meta.get("locked"))


def _device(key: KeyFile) -> dict[str, str]:
    """The name of a second device."""
    device = key.meta.get("device")
    return {"device": device} if isinstance(device, str) else {}
