# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Turns what a host returned of its keys into records of people, and judges it. Private to the collection.

A host says of itself when a key was validated and of which generation it is, and whoever is root there can say anything.
So a host cannot bring back a person whose keys were revoked, cannot be more than one generation ahead of the store, and
a key that takes the place of another one is a finding.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Iterable, Mapping, NamedTuple

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._findings import Finding
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.totp import canonical_secret
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.merge import merge
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.person import (
    DriftSeen,
    HistoryEvent,
    Person,
    PersonKey,
    Proven,
)
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.records import from_record, to_record
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.store import Aliases

STEPS_KEPT = 20  # of a key, the newest; enough for those that a window still covers, and to find a token used twice


class Ingested(NamedTuple):
    people: dict[str, Person]
    findings: list[Finding]


def person_of(account: str, places: Iterable[str], aliases: Aliases) -> str:
    """The name in the store of an account of a host; `places` are the host and its groups, the first alias counts."""
    return next((aliases[place][account] for place in places if account in aliases.get(place, {})), account)


def ingest(keys: list[dict[str, Any]], names: Mapping[str, str], host: str, known: Mapping[str, Person]) -> Ingested:
    """`names` are the people by account, `known` their records in the store."""
    people: dict[str, Person] = {}
    findings: list[Finding] = []
    for one in keys:
        user = names[one["user"]]
        before = known.get(user) or Person(user)
        try:
            new = _proven_first(_key(one, host), before)
        except FleetMfaError as error:
            findings.append(Finding("key_not_collected", (f"{user} on {host}: {error}",)))
            continue
        refusal = _refusal(before, new)
        if refusal:
            findings.append(Finding("key_not_collected", (f"{user} on {host}: {refusal}",)))
            continue
        event = HistoryEvent(one["since"], host, f"key {new.id} validated")
        record = Person(user, {new.id: new}, 0, frozenset() if new.id in before.keys else frozenset([event]))
        people[user] = merge(people[user], record) if user in people else record
        findings += _findings(user, before, merge(before, people[user]), new, host)
    return Ingested(people, findings)


def _key(one: dict[str, Any], host: str) -> PersonKey:
    """As the key store will read it again: what it would refuse then is refused now."""
    told = PersonKey(
        secret=canonical_secret(one["secret"]),
        period=one["period"],
        issuer=one["issuer"],
        account=one["account"],
        generation=one["generation"],
        created=one["since"],
        validated=Proven(one["since"], host),
        spent=frozenset(one["spent"]),
        codes=frozenset(one["codes"]),
        burnt={step: frozenset([host]) for step in one["used"]},
        drift=None if one["drift"] is None else DriftSeen(one["since"], one["drift"]),
    )
    [key] = from_record(to_record(Person(one["user"], {told.id: told}))).keys.values()
    return key


def _proven_first(new: PersonKey, before: Person) -> PersonKey:
    """A host that was given the key tells the time of the validation on another host as its own; what is known counts."""
    known = before.keys.get(new.id)
    if known is None or known.validated is None or new.validated is None or new.validated.when < known.validated.when:
        return new
    return replace(new, validated=known.validated)


def _refusal(before: Person, new: PersonKey) -> str | None:
    if new.id in before.keys:
        return None
    if before.current.denied:
        return "all keys of this person were revoked; only an operator can give a new one"
    if before.given_in_place:
        return "an operator has given this person a new key, and only that one counts until it is validated"
    if new.generation > before.newest_generation + 1:
        return f"the host calls it generation {new.generation}, the store knows {before.newest_generation}"
    return None


def _findings(user: str, before: Person, after: Person, new: PersonKey, host: str) -> Iterable[Finding]:
    old, now = before.current.validated, after.current.validated
    if old is not None and now is not None and old.id != now.id:
        yield Finding("key_displaced", (f"{user}: the key validated on {host} takes the place of key {old.id}",))
    elif old is not None and new.id not in before.keys:
        yield Finding("key_displaced", (f"{user}: the key validated on {host} is dead, since key {old.id} counts",))
    for step, hosts in after.keys[new.id].burnt.items():
        if len(hosts) > 1 and host in hosts:
            yield Finding("token_used_twice", (f"{user}: time step {step} on {' and '.join(sorted(hosts))}",))


def taken_in(person: Person, new: Person) -> Person:
    """The record with what is new in it, and without old steps.

    They are dropped here and not in merging, which must give the same in any order.
    """
    merged = merge(person, new)
    keys = {name: _with_newest_steps(key) for name, key in merged.keys.items()}
    return replace(merged, keys=keys)


def _with_newest_steps(key: PersonKey) -> PersonKey:
    if len(key.burnt) <= STEPS_KEPT:
        return key
    return replace(key, burnt={step: key.burnt[step] for step in sorted(key.burnt)[-STEPS_KEPT:]})


def is_of_other_store(keys: list[dict[str, Any]], store: str) -> list[str]:
    """The accounts whose key came from another key store."""
    return [one["user"] for one in keys if one["store"] not in (None, store)]
