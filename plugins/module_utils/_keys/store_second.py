# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What the key store wants for the second device of one user on this host. Private.

A second key counts beside a validated first one only. What was revoked is removed, also on a host that accepts no second
devices: it may accept them again tomorrow.
"""

from __future__ import annotations

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.collection import is_locked
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.entry import Keys
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.key_file import KeyFile
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.options import MfaHost
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.plan import UserPlan, refuse_if_any
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.second_change import SecondChange
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.second_keys import check_device_name, device_of
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.store_entry import StoredKey, StoreEntry, is_stored


class StoreSecond(SecondChange):
    """`first` is the plan for the user's first keys; `accepts` says whether this host asks for tokens of second devices."""

    def __init__(self, entry: StoreEntry, first: UserPlan, host: MfaHost, accepts: bool):
        stored = entry.person["second"]
        super().__init__(entry.user, stored["device"] if stored else "the second device", host)
        if stored:
            check_device_name(stored["device"])
        self._entry = entry
        self._accepts = accepts
        self._first = first.after.validated
        self._validated = stored["validated"] if stored else None
        self._pending = stored["pending"] if stored else None
        self.after = self._wanted(self.before)

    def _wanted(self, now: Keys) -> Keys:
        """Applying it to its own result changes nothing."""
        if self._first is None or is_locked(self._first):
            return Keys()
        validated = self._validated_now(now)
        return Keys(self._pending_now(now.pending, validated), validated)

    def _wanted_validated(self, current: KeyFile | None) -> KeyFile | None:
        return self._wanted(Keys(self.before.pending, current)).validated

    def _validated_now(self, now: Keys) -> KeyFile | None:
        here, stored = now.validated, self._validated
        if here is not None and self._stays(here):
            return here
        if stored is None or (self._first is not None and is_stored(self._first, stored)):
            return None
        known = next((key for key in now[::-1] if key and is_stored(key, stored)), None)
        return self._as_stored(known, stored, True) if known or self._accepts else None

    def _stays(self, here: KeyFile) -> bool:
        """A key that was validated here after the store was told of this host's keys."""
        if self._pending is not None and is_stored(here, self._pending):
            return True
        if self._is_dead(here) or self._entry.knows_as_second(here):
            return False
        stored = self._validated
        return stored is None or device_of(here) != stored["device"] or here.generation >= stored["generation"]

    def _pending_now(self, here: KeyFile | None, validated: KeyFile | None) -> KeyFile | None:
        stored = self._pending
        if stored is not None and not (validated and _has_replaced(validated, stored)):
            known = here if here and is_stored(here, stored) else None
            return self._as_stored(known, stored, False) if known or self._accepts else None
        if here is None or self._is_dead(here):
            return None
        if validated is None:
            return here
        is_newer = device_of(here) == device_of(validated) and here.generation > validated.generation
        return here if is_newer and not here.same_key(validated) else None

    def _is_dead(self, key: KeyFile) -> bool:
        person = self._entry.person
        floor = max(person["revoked_through"], person["revoked_devices"].get(device_of(key) or "", 0))
        return key.generation <= floor or self._entry.knows(key) or key.same_key(self._first)

    def _as_stored(self, here: KeyFile | None, stored: StoredKey, validated: bool) -> KeyFile:
        """With the settings of the first key: one limit counts the attempts with both."""
        key = self._entry.as_stored(here, stored, validated)
        settings = self._entry.settings_over(self._first.settings) if self._first else key.settings
        return key.merged(settings, key.issuer, key.account)


def _has_replaced(validated: KeyFile, stored: StoredKey) -> bool:
    return is_stored(validated, stored) or validated.generation >= stored["generation"]


def plan_store_seconds(
    entries: list[StoreEntry], firsts: list[UserPlan], host: MfaHost, accepts: bool
) -> list[StoreSecond]:
    """One error names everything that is wrong."""
    plans, errors = [], []
    for entry, first in zip(entries, firsts):
        try:
            plans.append(StoreSecond(entry, first, host, accepts))
        except FleetMfaError as error:
            errors.append(f"{entry.label}, second device: {error}")
    refuse_if_any(errors)
    return plans
