# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""People as JSON, as every back end of the key store keeps them. Private to the collection.

What has its default value is left out. Times are UTC texts, so that a person can read them.
"""

from __future__ import annotations

import re
from typing import Any, Callable, Mapping, TypeVar

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.second_keys import check_device_name
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.settings import RANGES
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.state_dir import check_user_name
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.totp import URI_PERIOD, canonical_secret
from ansible_collections.fleetmfa.ssh.plugins.module_utils._misplaced import shown
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.utc import utc_text
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.fields import Fields
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.person import (
    Access,
    Device,
    DriftSeen,
    HistoryEvent,
    Hosts,
    Person,
    PersonKey,
    Proven,
)

MAXIMUM_GENERATION = 1_000_000
_MAXIMUM_DRIFT = 86_400  # seconds
_MAXIMUM_STEP = 2**40

_Part = TypeVar("_Part")


def to_record(person: Person) -> dict[str, Any]:
    """JSON objects, lists, texts and numbers, always in the same order."""
    return _without_empty(
        {
            "user": person.user,
            "revoked_through": person.revoked_through,
            "rotate_through": person.rotate_through,
            "keys": _key_records(person.keys),
            "devices": {name: _device_record(device) for name, device in sorted(person.devices.items())},
            "history": [_event_record(event) for event in sorted(person.history)],
        }
    )


def _device_record(device: Device) -> dict[str, Any]:
    return _without_empty({"revoked_through": device.revoked_through, "keys": _key_records(device.keys)})


def _key_records(keys: Mapping[str, PersonKey]) -> list[dict[str, Any]]:
    return [_key_record(key) for _id, key in sorted(keys.items())]


def _key_record(key: PersonKey) -> dict[str, Any]:
    validated = key.validated and {"when": utc_text(key.validated.when), "host": key.validated.host}
    return _without_empty(
        {
            "secret": key.secret,
            "period": key.period if key.period != URI_PERIOD else None,
            "issuer": key.issuer,
            "account": key.account,
            "generation": key.generation,
            "created": utc_text(key.created),
            "validated": validated,
            "recovery_codes": sorted(key.codes),
            "spent_codes": sorted(key.spent),
            "burnt_steps": {str(step): sorted(hosts) for step, hosts in sorted(key.burnt.items())},
            "drift": key.drift and {"when": utc_text(key.drift.when), "seconds": key.drift.seconds},
            "access": key.access and _access_record(key.access),
            "expiring_codes": {code: utc_text(end) for code, end in sorted(key.expiring.items())},
        }
    )


def _access_record(access: Access) -> dict[str, Any]:
    until = access.not_asked_until
    return _without_empty({"decided": utc_text(access.decided), "not_asked_until": utc_text(until) if until else None})


def _event_record(event: HistoryEvent) -> dict[str, Any]:
    return _without_empty({**event._asdict(), "when": utc_text(event.when)})


def _without_empty(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if value or isinstance(value, bool)}


def from_record(record: Any) -> Person:
    """A FleetMfaError names person, key and field of whatever is wrong; it shows no value but the person's name."""
    user = record.get("user") if isinstance(record, dict) else None
    where = f"person {shown(user)}" if isinstance(user, str) else "a person without a name"
    fields = Fields(record, where)
    name = fields.text("user")
    try:
        check_user_name(name)
    except FleetMfaError as error:
        raise fields.wrong("user", str(error)) from None
    history = [_event(Fields(one, f"{where}, event {number}")) for number, one in enumerate(fields.items("history"), 1)]
    revoked = fields.number("revoked_through", 0, MAXIMUM_GENERATION, default=0)
    rotated = fields.number("rotate_through", 0, MAXIMUM_GENERATION, default=0)
    person = Person(name, _keys(fields, where), revoked, frozenset(history), rotated, _devices(fields, where))
    fields.finish()
    return person


def _keys(fields: Fields, where: str) -> dict[str, PersonKey]:
    keys = [_key(Fields(one, f"{where}, key {number}")) for number, one in enumerate(fields.items("keys"), 1)]
    by_id = {key.id: key for key in keys}
    if len(by_id) != len(keys):
        raise fields.wrong("keys", "has one key twice; remove one of the two")
    return by_id


def _devices(fields: Fields, where: str) -> dict[str, Device]:
    devices = {}
    for number, (name, record) in enumerate(fields.mapping("devices").items(), 1):
        try:
            check_device_name(name)
        except FleetMfaError as error:
            raise fields.wrong("devices", f"has a name, number {number}, that cannot be one: {error}") from None
        of_device = Fields(record, f"{where}, device {name}")
        revoked = of_device.number("revoked_through", 0, MAXIMUM_GENERATION, default=0)
        devices[name] = Device(_keys(of_device, f"{where}, device {name}"), revoked)
        of_device.finish()
    return devices


def _key(fields: Fields) -> PersonKey:
    secret = fields.text("secret")
    try:
        secret = canonical_secret(secret)
    except FleetMfaError as error:
        raise fields.wrong("secret", f"cannot be used: {error}") from None
    period = RANGES["period"]
    key = PersonKey(
        secret=secret,
        period=fields.number("period", period.low, period.high, default=URI_PERIOD),
        issuer=fields.text("issuer", ""),
        account=fields.text("account", ""),
        generation=fields.number("generation", 1, MAXIMUM_GENERATION),
        created=fields.time("created"),
        validated=_validated(fields),
        codes=_codes(fields),
        spent=fields.texts("spent_codes"),
        burnt=_burnt(fields),
        drift=_drift(fields),
        access=_access(fields),
        expiring=_expiring(fields),
    )
    fields.finish()
    if key.without_spent(key.codes, key.spent) != key.codes:
        raise fields.wrong("recovery_codes", "has a code that spent_codes says was used; remove it")
    return key


def _validated(fields: Fields) -> Proven | None:
    return _part(fields, "validated", lambda part: Proven(part.time("when"), part.text("host")))


def _drift(fields: Fields) -> DriftSeen | None:
    def read(part: Fields) -> DriftSeen:
        return DriftSeen(part.time("when"), part.number("seconds", -_MAXIMUM_DRIFT, _MAXIMUM_DRIFT))

    return _part(fields, "drift", read)


def _access(fields: Fields) -> Access | None:
    def read(part: Fields) -> Access:
        return Access(part.time("decided"), part.time("not_asked_until") if part.has("not_asked_until") else 0)

    return _part(fields, "access", read)


def _expiring(fields: Fields) -> dict[str, int]:
    ends = Fields(fields.mapping("expiring_codes"), "expiring_codes")
    try:
        return {code: ends.time(code) for code in fields.mapping("expiring_codes")}
    except FleetMfaError:
        raise fields.wrong("expiring_codes", "must give a time, such as 2026-01-31T09:00:00Z, for each code") from None


def _part(fields: Fields, name: str, read: Callable[[Fields], _Part]) -> _Part | None:
    """A field that is a record of its own; None if it is not there."""
    if not fields.has(name):
        return None
    part = Fields(fields.mapping(name), name)
    try:
        found = read(part)
        part.finish()
    except FleetMfaError as error:
        raise fields.wrong(name, f"is wrong: {error}") from None
    return found


def _codes(fields: Fields) -> frozenset[str]:
    codes = fields.texts("recovery_codes")
    if not all(re.fullmatch("[1-9][0-9]{7}", code, re.ASCII) for code in codes):
        raise fields.wrong("recovery_codes", "has a code that is not eight digits, the first not 0")
    return codes


def _burnt(fields: Fields) -> dict[int, Hosts]:
    found = {}
    for step, hosts in fields.mapping("burnt_steps").items():
        if not re.fullmatch("[0-9]{1,12}", step, re.ASCII) or int(step) > _MAXIMUM_STEP or not isinstance(hosts, list):
            raise fields.wrong("burnt_steps", "must give the list of hosts for each time step, a number")
        found[int(step)] = frozenset(map(str, hosts))
    return found


def _event(fields: Fields) -> HistoryEvent:
    event = HistoryEvent(fields.time("when"), fields.text("who"), fields.text("what"), fields.text("reason", ""))
    fields.finish()
    return event
