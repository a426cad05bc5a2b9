# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What a host is told of a person's record: the keys that count, nothing of others. Private to the collection."""

from __future__ import annotations

import datetime
import time

from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.store_entry import StoredKey, StoredPerson
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.person import Person, PersonKey


def handout(person: Person, account: str, now: float | None = None) -> StoredPerson:
    """For the person's account on a host.

    With a key in place of revoked ones, the person is denied, or not asked until a date; after that date it is up to the
    host (mfa_enrollment_overdue), so neither is said.
    """
    now = time.time() if now is None else now
    validated, pending, denied = person.current
    waiting = person.given_in_place
    until = waiting.access.not_asked_until if waiting and waiting.access else 0
    return {
        "user": account,
        "revoked_through": person.revoked_through,
        "denied": denied or (waiting is not None and not until),
        "not_asked": until > now,
        "rotate": person.is_to_be_rotated,
        "known": sorted(person.keys),
        "validated": _stored(validated, now) if validated else None,
        "pending": _stored(pending, now) if pending else None,
    }


def _stored(key: PersonKey, now: float) -> StoredKey:
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
        "burnt_steps": sorted(key.burnt),
    }
