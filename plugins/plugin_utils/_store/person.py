# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A person of the fleet as the key store knows them: all keys, what was spent of them, and who did what. Private.

Nothing in a record is ever taken back, things are only added (`merge.py`). Which of the keys counts is therefore not
recorded but worked out, by `Person.current`, and everybody who has the same record works out the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import FrozenSet, Mapping, NamedTuple

from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.ids import code_id, key_id
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.second_keys import FIRST_DEVICE
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.totp import URI_PERIOD, decode_secret

Hosts = FrozenSet[str]


class Proven(NamedTuple):
    """When (seconds since the epoch) and on which host a key was validated."""

    when: int
    host: str


class DriftSeen(NamedTuple):
    """By how many seconds the device's clock was ahead, and when that was seen."""

    when: int
    seconds: int


class Access(NamedTuple):
    """What an operator has decided about logins until a key that replaces a revoked one is validated: until when its
    user is not asked for a token; 0 is denied. The later decision counts."""

    decided: int
    not_asked_until: int


class HistoryEvent(NamedTuple):
    """What somebody did, without secrets. Two events with the same content are one event."""

    when: int
    who: str
    what: str
    reason: str = ""


@dataclass(frozen=True, repr=False)
class PersonKey:
    """One TOTP key: SHA1 and six digits, since the PAM module checks no others."""

    secret: str  # base32, as canonical_secret returns it
    period: int = URI_PERIOD  # seconds
    issuer: str = ""
    account: str = ""
    generation: int = 1
    created: int = 0
    validated: Proven | None = None  # None: pending
    codes: frozenset[str] = frozenset()  # recovery codes that are left
    spent: frozenset[str] = frozenset()  # ids of recovery codes (code_id) that were used anywhere
    burnt: Mapping[int, Hosts] = field(default_factory=dict)  # time step -> the hosts on which its token was used
    drift: DriftSeen | None = None
    access: Access | None = None  # only of a key that an operator has given in place of a revoked one
    expiring: Mapping[str, int] = field(default_factory=dict)  # id of a help-desk code -> when it ends

    def __repr__(self) -> str:
        return f"PersonKey({self.id})"  # the content is secret, even in a traceback

    @cached_property
    def id(self) -> str:
        return key_id(decode_secret(self.secret), self.period)

    def without_spent(self, codes: frozenset[str], spent: frozenset[str]) -> frozenset[str]:
        """Those of the codes that are not among the spent ones."""
        secret = decode_secret(self.secret)
        return frozenset(code for code in codes if code_id(secret, code) not in spent) if spent else codes

    def expired(self, now: float) -> frozenset[str]:
        """The ids of help-desk codes that have ended."""
        return frozenset(code for code, end in self.expiring.items() if end <= now)


class DeviceKeys(NamedTuple):
    """What counts of a second device."""

    device: str
    validated: PersonKey | None
    pending: PersonKey | None


class CurrentKeys(NamedTuple):
    """What counts for a person now. `denied`: a leaver, or somebody whose every key was revoked."""

    validated: PersonKey | None
    pending: PersonKey | None
    denied: bool


@dataclass(frozen=True)
class Device:
    """A second device. Generations are counted for all devices of a person together."""

    keys: Mapping[str, PersonKey] = field(default_factory=dict)  # by id
    revoked_through: int = 0  # keys of this device, of this generation and of all before it, are dead

    @property
    def revoked_ids(self) -> set[str]:
        return {key.id for key in self.keys.values() if key.generation <= self.revoked_through}


@dataclass(frozen=True)
class Person:
    user: str  # the person's name in the fleet
    keys: Mapping[str, PersonKey] = field(default_factory=dict)  # by id; those of the first device
    revoked_through: int = 0  # keys of this generation and of all before it are dead, those of second devices too
    history: frozenset[HistoryEvent] = frozenset()
    rotate_through: int = 0  # keys of this generation and of all before it are to be replaced; they count until then
    devices: Mapping[str, Device] = field(default_factory=dict)  # second ones, by name

    def with_key(self, key: PersonKey) -> Person:
        return replace(self, keys={**self.keys, key.id: key})

    def with_device(self, name: str, device: Device) -> Person:
        return replace(self, devices={**self.devices, name: device})

    @property
    def all_keys(self) -> list[PersonKey]:
        """Of every device. A key that has changed its place is in it twice."""
        return [*self.keys.values(), *(key for device in self.devices.values() for key in device.keys.values())]

    @property
    def newest_generation(self) -> int:
        """0 if there was never a key."""
        return max((key.generation for key in self.all_keys), default=0)

    @property
    def current(self) -> CurrentKeys:
        """The newest generation wins; in one generation the key that was validated first, then by host, then by id.

        A pending key counts beside the validated one only if it is newer (a rotation).
        """
        revoked = self._revoked_ids
        living = [one for one in self.keys.values() if one.generation > self.revoked_through and one.id not in revoked]
        denied = not living and bool(self.revoked_through or self.keys)
        return CurrentKeys(*_winners(living), denied)

    @property
    def _revoked_ids(self) -> set[str]:
        """Keys that were revoked with a device are dead wherever else a host says they are."""
        return {name for device in self.devices.values() for name in device.revoked_ids}

    def floor(self, device: str | None) -> int:
        """Keys of this device (None: the first one) are dead up to this generation."""
        return max(self.revoked_through, self.devices.get(device or "", Device()).revoked_through)

    def living_of(self, name: str) -> list[PersonKey]:
        """The keys of this second device that are not dead. One that is, or ever was, the first device's is not its."""
        not_its = self._revoked_ids.union(self.keys)
        device = self.devices.get(name, Device())
        return [key for key in device.keys.values() if key.generation > self.floor(name) and key.id not in not_its]

    @property
    def living_devices(self) -> list[DeviceKeys]:
        """The one that counts comes first: the one that was validated first, then by host, then by name."""
        found = [DeviceKeys(name, *_winners(living)) for name in self.devices if (living := self.living_of(name))]
        return sorted(found, key=_rank_of_device)

    @property
    def second(self) -> DeviceKeys | None:
        """The second device. It counts beside a validated first one only, which is up to the reader."""
        return next(iter(self.living_devices), None)

    @property
    def first_device(self) -> str:
        """The name of the first device: that of a second one whose key took its place, or FIRST_DEVICE."""
        key = self.current.validated
        names = [name for name, device in self.devices.items() if key and key.id in device.keys]
        return min(names, default=FIRST_DEVICE)

    @property
    def validated_devices(self) -> list[tuple[str, PersonKey]]:
        """The devices that let the person in now, by name, with their keys: the second one beside a first one only."""
        first, second = self.current.validated, self.second
        if first is None:
            return []
        others = [(second.device, second.validated)] if second is not None and second.validated is not None else []
        return [(self.first_device, first), *others]

    @property
    def given_in_place(self) -> PersonKey | None:
        """The pending key that an operator has given in place of revoked ones; None once one is validated."""
        validated, pending, _denied = self.current
        return pending if validated is None and self.revoked_through else None

    @property
    def is_to_be_rotated(self) -> bool:
        """Whether the key that counts is too old, and there is no newer one yet that only has to be validated."""
        validated, pending, _denied = self.current
        return validated is not None and pending is None and validated.generation <= self.rotate_through


def _winners(living: list[PersonKey]) -> tuple[PersonKey | None, PersonKey | None]:
    """Of the living keys of one device, the validated and the pending one that count."""
    validated = min((key for key in living if key.validated), key=_rank, default=None)
    newer = [key for key in living if not key.validated and _is_newer(key, validated)]
    return validated, min(newer, key=_rank, default=None)


def _is_newer(key: PersonKey, validated: PersonKey | None) -> bool:
    return validated is None or key.generation > validated.generation


def _rank(key: PersonKey) -> tuple[int, Proven, str]:
    return -key.generation, key.validated or Proven(key.created, ""), key.id


def _rank_of_device(one: DeviceKeys) -> tuple[bool, Proven, str]:
    proven = one.validated and one.validated.validated
    return proven is None, proven or Proven(0, ""), one.device
