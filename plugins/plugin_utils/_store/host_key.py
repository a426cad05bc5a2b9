# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What a host may say about a person's key, and what an operator has to know of it. Private to the collection.

A host cannot bring back a key, a device or a person that was revoked, cannot be more than one generation ahead of the
store, and whatever takes the place of another key, or adds a device, is a finding.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Iterable, Mapping

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._findings import Finding
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.person import Device, HistoryEvent, Person, PersonKey

# Second devices of a person that are alive at once. One of them counts; there are more if hosts had different ones.
MAXIMUM_DEVICES = 4


@dataclass(frozen=True)
class HostKey:
    """A validated key that a host has returned; `device` is the name of a second one."""

    host: str
    device: str | None
    key: PersonKey

    @property
    def words(self) -> str:
        return f"key {self.key.id}" + (f" of second device {self.device}" if self.device else "")

    def as_known(self, before: Person) -> HostKey:
        """A host that was given the key tells the time of the validation on another host as its own; what is known counts."""
        known = keys_of(before, self.device).get(self.key.id)
        told = self.key.validated
        if known is None or known.validated is None or told is None or told.when < known.validated.when:
            return self
        return replace(self, key=replace(self.key, validated=known.validated))

    def alone(self, user: str, history: frozenset[HistoryEvent]) -> Person:
        """A record of nothing else."""
        keys = {self.key.id: self.key}
        if self.device is None:
            return Person(user, keys, history=history)
        return Person(user, history=history, devices={self.device: Device(keys)})


def keys_of(person: Person, device: str | None) -> Mapping[str, PersonKey]:
    if device is None:
        return person.keys
    return person.devices.get(device, Device()).keys


def refuse_host_key(new: HostKey, before: Person, so_far: Person) -> None:
    """`before` is the record in the store, `so_far` the one with what the same host has returned already."""
    key, floor = new.key, before.floor(new.device)
    known = keys_of(before, new.device).get(key.id)
    if key.generation > floor and _was_revoked(before, key.id):
        raise FleetMfaError(
            "this key was revoked, and the host calls it a newer one; only an operator can give a new one"
        )
    if key.generation > before.newest_generation + 1:
        raise FleetMfaError(
            f"the host calls it generation {key.generation}, the store knows {before.newest_generation}"
        )
    if known is not None:
        return
    if before.current.denied:
        raise FleetMfaError("all keys of this person were revoked; only an operator can give a new one")
    if before.given_in_place:
        raise FleetMfaError(
            "an operator has given this person a new key, and only that one counts until it is validated"
        )
    if new.device is not None:
        _refuse_device(new, new.device, before, so_far)


def _was_revoked(person: Person, key: str) -> bool:
    """Whether the store knows this key, and it is dead wherever it is known."""
    generations = [(device, keys_of(person, device).get(key)) for device in (None, *person.devices)]
    known = [one.generation > person.floor(device) for device, one in generations if one]
    return bool(known) and not any(known)


def _refuse_device(new: HostKey, device: str, before: Person, so_far: Person) -> None:
    """Only of a key that the store does not know as one of this device."""
    if so_far.current.validated is None:
        raise FleetMfaError(f"second device {device}: the first device of this person has no validated key")
    if new.key.generation <= before.floor(device):
        raise FleetMfaError(f"second device {device} was revoked; only an operator can give it a new key")
    if any(one.id == new.key.id for one in so_far.all_keys):
        raise FleetMfaError(f"second device {device}: its key is that of another device of this person")
    others = [one.device for one in before.living_devices if one.device != device]
    if len(others) >= MAXIMUM_DEVICES:
        raise FleetMfaError(
            f"second device {device}: the person has {len(others)} others ({', '.join(others)}), of which one counts; "
            "revoke those that are not used"
        )


def findings_of(new: HostKey, before: Person, after: Person) -> Iterable[Finding]:
    if new.device is None:
        old, now = before.current.validated, after.current.validated
    else:
        old, now = before.second and before.second.validated, after.second and after.second.validated
    is_news = new.key.id not in keys_of(before, new.device)
    if old is not None and now is not None and old.id != now.id:
        yield Finding("key_displaced", (f"{before.user}: the {_validated(new)} takes the place of key {old.id}",))
    elif old is not None and is_news:
        state = "does not count" if new.device else "is dead"
        yield Finding("key_displaced", (f"{before.user}: the {_validated(new)} {state}, since key {old.id} counts",))
    elif new.device and is_news:
        yield Finding("device_added", (f"{before.user}: the {_validated(new)}, lets in on every host from now on",))
    for step, hosts in keys_of(after, new.device)[new.key.id].burnt.items():
        if len(hosts) > 1 and new.host in hosts:
            yield Finding("token_used_twice", (f"{before.user}: time step {step} on {' and '.join(sorted(hosts))}",))


def _validated(new: HostKey) -> str:
    return (
        f"key of second device {new.device}, validated on {new.host}" if new.device else f"key validated on {new.host}"
    )
