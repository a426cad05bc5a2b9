# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The keys of users' second devices on a host (docs/second_device.md). Private to the collection.

They are in folders of their own beside those of the first keys: `second/USER` is validated, `second-pending/USER` is not. The
guard's record is that of the user; steps of the second key have an `s` before them.
"""

from __future__ import annotations

import contextlib
import os
import re
from typing import Callable, Iterator

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.collection import is_locked
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.guard_claims import adopt_second, claim_second, locked
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.key_file import KeyFile
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.refusals import TokenRefused
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.state_dir import StateDir

FIRST_DEVICE = "first"  # what operators call the first device, which has no name
_FOLDERS = {"keys": "second", "pending": "second-pending"}
_DEVICE = re.compile(r"[a-z][a-z0-9-]{0,14}")


def check_device_name(device: str) -> None:
    if not _DEVICE.fullmatch(device):
        raise FleetMfaError(
            "device: must be a short name such as tablet: lower case letters, digits and -, 15 at most, the first a letter"
        )
    if device == FIRST_DEVICE:
        raise FleetMfaError(f"device: {FIRST_DEVICE} means the first device; give the second one another name")


def device_of(key: KeyFile | None) -> str | None:
    """The name of a second device; None for a key that has always been that of a first one."""
    device = key.meta.get("device") if key is not None else None
    return device if isinstance(device, str) else None


def beside(key: KeyFile, first: KeyFile | None) -> KeyFile:
    """Of the first key's generation at least: what revokes that one revokes this one too, on a host that was away as well."""
    if first is None or key.generation >= first.generation:
        return key
    return key.with_meta(generation=first.generation)


def is_usable_beside(first: KeyFile | None) -> bool:
    """Whether a second key may be validated beside this first one."""
    return first is not None and not is_locked(first) and not first.denials


def require_first(state_dir: StateDir, second: StateDir, user: str, device: str) -> None:
    """Refuse to validate a second device before the first one, or under another name than its own."""
    check_device_name(device)
    if device not in (device_of(second.pending(user)), device_of(second.validated(user))):
        raise TokenRefused(
            "no_pending_key", "the user has no key of this device to validate; provision one first (totp_key)"
        )
    if not is_usable_beside(state_dir.validated(user)):
        raise FleetMfaError("the first device has no usable validated key; validate that one first")


class SecondKeys(StateDir):
    """Like the state directory of the first keys, which it shares the lock with."""

    def __init__(self, first: StateDir):
        super().__init__(first.path)
        self._first = first
        self.notices = first.notices

    def _folder(self, name: str) -> str:
        return super()._folder(_FOLDERS.get(name, name))

    @contextlib.contextmanager
    def lock(self, wait: float = 60) -> Iterator[None]:
        with self._first.lock(wait):
            yield

    @property
    def exist(self) -> bool:
        """Whether this host has ever had a second key."""
        return os.path.isdir(self._folder("keys"))

    def has_any(self, user: str) -> bool:
        return self.has("keys", user) or self.has("pending", user)

    def converge_validated(self, user: str, change: Callable[[KeyFile | None], KeyFile | None]) -> None:
        if self.exist:
            super().converge_validated(user, change)

    def promote(self, user: str, key: KeyFile) -> None:
        self._claim_burnt(user, None, key)
        super().promote(user, key)

    def _claim_burnt(self, user: str, current: KeyFile | None, wanted: KeyFile | None) -> None:
        """Those of a new key, too: the guard has one record for all keys of a user."""
        if wanted is not None and wanted.used_steps:
            claim_second(self._folder("guard"), user, wanted.used_steps)

    def _forget_logins_with(self, user: str, replaced: KeyFile | None, key: KeyFile | None) -> None:
        """The record is that of the first key, too."""

    def lent_name(self, user: str) -> str | None:
        """A login under another spelling gets the first key only."""
        return None

    def remove_validated(self, user: str) -> None:
        """The device is refused from now on, also at prompts that are open."""
        self.converge_validated(user, lambda _key: None)

    def become_first(self, user: str) -> None:
        """The second key takes the place of the first one, in one rename, and the first one is dead."""
        first = self._first.validated(user)
        generation = first.generation + 1 if first else 1
        self.converge_validated(user, lambda key: key and key.with_meta(generation=max(key.generation, generation)))
        key = self._leave(user, lambda path: os.rename(path, self._first._file("keys", user)))
        if key is None:
            raise FleetMfaError(f"user {user}: the key of the second device is gone; the first one stays as it was")
        self.notices.validated_changed(user, first, key)
        # A login that had read the first key before writes it back.
        self._first.converge_validated(user, lambda now: now if now and now.same_key(key) else key)

    def retire(self, user: str) -> None:
        """Its key is about to be given to the user as the first one."""
        self._leave(user, os.unlink)
        self.remove_pending(user)

    def _leave(self, user: str, move: Callable[[str], None]) -> KeyFile | None:
        """No token that was used with the second key is accepted with the first one. A login that was writing the file puts it
        there once more; its token is claimed as well. Returns the key."""
        path, guard, left = self._file("keys", user), self._folder("guard"), None
        with locked(guard, user):
            while self.has("keys", user):
                key = self.validated(user)
                adopt_second(guard, user, key.used_steps if key else [])
                move(path)
                move, left = os.unlink, left or key
                self._await_login(user)
        return left
