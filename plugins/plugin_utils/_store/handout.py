# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What a host is told of a person's record: the keys that count, nothing of others. Private to the collection."""

from __future__ import annotations

import datetime
import time

from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.store_entry import (
    StoredKey,
    StoredPerson,
    StoredSecond,
)
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.person import Person, PersonKey


def handout(person: Person, account: str, now: float | None = None) -> StoredPerson:
    """For the person's account on a host.

    With a key in place of revoked ones, the person is denied, or not asked until a date; after that date it is up to the
    host (mfa_enrollment_overdue), so neither is said.
    """
    now = time.time() if now is None else now
    validated, pending, denied = person.current
    seconds = {key.id for name in person.devices for key in person.living_of(name)}
    waiting = person.given_in_place
    until = waiting.access.not_asked_until if waiting and waiting.access else 0
    return {
        "user": account,
        "revoked_through": person.revoked_through,
        "denied": denied or (waiting is not None and not until),
        "not_asked": until > now,
        "rotate": person.is_to_be_rotated,
        "known": sorted({key.id for key in person.all_keys} - seconds),
        "validated": _first(person, validated, now),
        "pending": _first(person, pending, now),
        "second": _second(person, now) if validated else None,
        "second_known": sorted(seconds),
        "revoked_devices": {
            name: device.revoked_through for name, device in sorted(person.devices.items()) if device.revoked_through
        },
    }


def _first(person: Person, key: PersonKey | None, now: float) -> StoredKey | None:
    """With the name of the second device that it was, if it was one."""
    if key is None:
        return None
    names = [name for name, device in person.devices.items() if key.id in device.keys]
    return _stored(person, key, min(names, default=None), now)


def _second(person: Person, now: float) -> StoredSecond | None:
    found = person.second
    if found is None:
        return None
    device, validated, pending = found
    return {
        "device": device,
        "validated": _stored(person, validated, device, now) if validated else None,
        "pending": _stored(person, pending, device, now) if pending else None,
    }


def _stored(person: Person, key: PersonKey, device: str | None, now: float) -> StoredKey:
    spent = key.spent | key.expired(now)
    until = key.access.not_asked_until if key.access else 0
    return {
        "secret": key.secret,
        "period": key.period,
        "issuer": key.issuer,
        "account": key.account,
        "generation": key.generation,
        "since": key.validated.when if key.validated else key.created,
        "host": key.validated.host if key.validated else "",
        "deadline": datetime.date.fromtimestamp(until).isoformat() if until else None,
        "recovery_codes": sorted(key.without_spent(key.codes, spent)),
        "spent_codes": sorted(spent),
        "expiring": {code: end for code, end in sorted(key.expiring.items()) if end > now},
        # Also those that were used with it as the key of another device of the person.
        "burnt_steps": sorted({step for one in person.all_keys if one.id == key.id for step in one.burnt}),
        "device": device,
    }
