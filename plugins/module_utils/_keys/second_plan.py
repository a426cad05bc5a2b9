# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Turns the wanted keys of second devices into changes on a host, all checked before anything is written. Private.

A second device changes nothing about who is enforced: it counts only beside a validated first key, or takes its place.
"""

from __future__ import annotations

from collections import Counter
from typing import Iterable, Sequence

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.entry import KeyEntry, Keys
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.key_file import KeyFile
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.options import MfaHost
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.plan import (
    PlannedUser,
    UserPlan,
    check_entry_user,
    refuse_if_any,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.second_change import SecondChange
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.second_keys import (
    beside,
    check_device_name,
    device_of,
    is_usable_beside,
)


class SecondPlannedUser(PlannedUser):
    """An entry of the return value `users` of module totp_key for a second device."""

    device: str


class SecondPlan(SecondChange):
    """What an operator wants; `first` are the user's first keys as this call leaves them."""

    def __init__(self, entry: KeyEntry, host: MfaHost, first: Keys, first_entry: KeyEntry | None):
        super().__init__(entry.user, entry.device or "", host)
        self.entry = entry
        self._first = first
        self._first_entry = first_entry
        self._check()
        self.is_first = device_of(first.validated) == self.device
        self.promotes = entry.state == "promoted" and not self.is_first
        self.after = self._wanted()
        self._check_wanted()
        self.enforced, self.exempt = self.user in host.group.members, self.user in host.exempt

    def _check(self) -> None:
        check_device_name(self.device)
        self.entry.check()
        if self.entry.gives_recovery_codes:
            raise FleetMfaError("recovery_codes: a second device has none; give them in the entry without device")
        if self._first_entry is not None and self._first_entry.state == "absent" and self.entry.state != "absent":
            raise FleetMfaError(
                "another entry of this user has state absent, which removes the keys of all devices; to keep only this "
                "device, give it state promoted and take that entry out"
            )
        others = {device_of(key) for key in self.before if key} - {self.device, None}
        if others:
            raise FleetMfaError(
                f"the user has a second device already, {', '.join(sorted(filter(None, others)))}; a user may have two "
                "devices: remove that one first (state absent)"
            )

    def _wanted(self) -> Keys:
        if self.is_first and self.entry.state == "absent":
            raise FleetMfaError(
                "this is the user's only device, since it was promoted; to release the user, give state absent without device"
            )
        if self.promotes and self.before.validated is None:
            raise FleetMfaError("state promoted: the key of this device is not validated; the user would be locked out")
        if self.is_first or self.promotes:
            return Keys()
        if self.entry.makes_new_key(self.before):
            raise FleetMfaError(
                "secret: is missing; no host shows the key of a second device, so nobody would know a generated one"
            )
        after = self.entry.wanted(self.before)
        return Keys(*(key and self._managed(key) for key in after))

    def _managed(self, key: KeyFile) -> KeyFile:
        """With the settings of the first key, unless the call gives others: one limit counts the attempts with both."""
        settings = self.entry.settings_over((self._first.validated or self._first.pending or key).settings)
        managed = key.merged(settings, key.issuer, key.account).with_meta(device=self.device)
        return managed if key.same_key(self.before.validated) else beside(managed, self._first.validated)

    def _check_wanted(self) -> None:
        first = self._first.validated
        if (self.after.validated or self.promotes) and not is_usable_beside(first):
            raise FleetMfaError(
                "the user has no usable validated key of the first device; validate that first, or leave this one pending"
            )
        if any(key and key.same_key(other) for key in self.after for other in self._first):
            raise FleetMfaError("secret: is that of the first device; each device needs a key of its own")
        of_first = self._first_entry
        if of_first and of_first.gives_secret and (self.is_first or self.promotes) and not self._gives_this(of_first):
            raise FleetMfaError(
                "the entry without device gives the secret of a device that this one has replaced; take that secret out"
            )

    def _gives_this(self, entry: KeyEntry) -> bool:
        return entry.gives(self._first.validated if self.is_first else self.before.validated)

    def apply(self) -> None:
        if self.promotes:
            self._keys.prepare()
            self._keys.put_strangers_away(self.user)
            self._keys.become_first(self.user)
        super().apply()

    def _wanted_validated(self, current: KeyFile | None) -> KeyFile | None:
        wanted = self.entry.wanted(Keys(self.before.pending, current)).validated
        return wanted and self._managed(wanted)

    @property
    def words(self) -> list[str]:
        if self.promotes:
            return [f"second device {self.device} becomes the first, whose key is dead"]
        return super().words

    def result(self) -> SecondPlannedUser:
        return {
            "user": self.user,
            "device": self.device,
            "state": "validated" if self.is_first or self.promotes else self.after.state,
            "rotation_pending": None not in self.after,
            "changed": self.changed,
            "enforced": self.enforced,
            "exempt": self.exempt,
            "problems": [],
        }


def plan_seconds(entries: Sequence[KeyEntry], host: MfaHost, firsts: Iterable[UserPlan]) -> list[SecondPlan]:
    """Check every entry with a device; one error names everything that is wrong."""
    of_user = {one.user: one for one in firsts}
    count = Counter(entry.user for entry in entries)
    plans, errors = [], []
    for entry in entries:
        try:
            check_entry_user(entry, [entry.named] * count[entry.user])
            first = of_user.get(entry.user)
            keys = (
                first.after if first else Keys(host.state_dir.pending(entry.user), host.state_dir.validated(entry.user))
            )
            plans.append(SecondPlan(entry, host, keys, first.entry if first else None))
        except FleetMfaError as error:
            errors.append(f"{entry.label}, device {entry.device}: {error}")
    refuse_if_any(errors)
    return plans
