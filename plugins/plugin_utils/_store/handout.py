# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What a host is told of a person's record: the keys that count, nothing of others. Private to the collection."""

from __future__ import annotations

from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.store_entry import StoredKey, StoredPerson
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.person import Person, PersonKey


def handout(person: Person, account: str) -> StoredPerson:
    """For the person's account on a host."""
    validated, pending, denied = person.current
    return {
        "user": account,
        "revoked_through": person.revoked_through,
        "denied": denied,
        "known": sorted(person.keys),
        "validated": _stored(validated) if validated else None,
        "pending": _stored(pending) if pending else None,
    }


def _stored(key: PersonKey) -> StoredKey:
    return {
        "secret": key.secret,
        "period": key.period,
        "issuer": key.issuer,
        "account": key.account,
        "generation": key.generation,
        "since": key.validated.when if key.validated else key.created,
        "recovery_codes": sorted(key.codes),
        "spent_codes": sorted(key.spent),
        "burnt_steps": sorted(key.burnt),
    }
