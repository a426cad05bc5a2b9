# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Turns what a host returned of its keys into records of people, and judges it. Private to the collection.

A host says of itself when a key was validated and of which generation it is, and whoever is root there can say anything:
`host_key.py` says what it can achieve by that.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any, Iterable, Mapping, NamedTuple

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._findings import Finding
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.second_keys import check_device_name
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.totp import canonical_secret
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.host_key import (
    HostKey,
    findings_of,
    keys_of,
    refuse_host_key,
)
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
    count = Counter((one["user"], is_second(one)) for one in keys)
    for one in sorted(keys, key=is_second):  # a second device counts beside a first one only
        user = names[one["user"]]
        before = known.get(user) or Person(user)
        try:
            if is_second(one) and count[one["user"], True] > 1:
                raise FleetMfaError("the host returned more than one second device, and it can have only one")
            new = HostKey(host, _device(one), _key(one, host))
            refuse_host_key(new, before, merge(before, people[user]) if user in people else before)
            new = new.as_known(before)
        except FleetMfaError as error:
            findings.append(Finding("key_not_collected", (f"{user} on {host}: {error}",)))
            continue
        event = HistoryEvent(one["since"], host, f"{new.words} validated")
        is_news = new.key.id not in keys_of(before, new.device)
        record = new.alone(user, frozenset([event] if is_news else []))
        people[user] = merge(people[user], record) if user in people else record
        findings += findings_of(new, before, merge(before, people[user]))
    return Ingested(people, [*dict.fromkeys(findings)])


def is_second(one: Mapping[str, Any]) -> bool:
    return one.get("device") is not None


def _device(one: Mapping[str, Any]) -> str | None:
    device = one.get("device")
    if device is not None:
        check_device_name(device if isinstance(device, str) else "")
    return device


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


def taken_in(person: Person, new: Person) -> Person:
    """The record with what is new in it, and without old steps.

    They are dropped here and not in merging, which must give the same in any order.
    """
    merged = merge(person, new)
    devices = {
        name: replace(device, keys=_with_newest_steps_each(device.keys)) for name, device in merged.devices.items()
    }
    return replace(merged, keys=_with_newest_steps_each(merged.keys), devices=devices)


def _with_newest_steps_each(keys: Mapping[str, PersonKey]) -> dict[str, PersonKey]:
    return {name: _with_newest_steps(key) for name, key in keys.items()}


def _with_newest_steps(key: PersonKey) -> PersonKey:
    if len(key.burnt) <= STEPS_KEPT:
        return key
    return replace(key, burnt={step: key.burnt[step] for step in sorted(key.burnt)[-STEPS_KEPT:]})


def is_of_other_store(keys: list[dict[str, Any]], store: str) -> list[str]:
    """The accounts whose key came from another key store."""
    return [one["user"] for one in keys if one["store"] not in (None, store)]
