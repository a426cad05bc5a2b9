# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What an operator decides about one device of a person; the others go on. Private to the collection.

As in `lifecycle.py`, each function returns the record after the decision, or the same one if it is in force already. A
FleetMfaError says why a decision is impossible. Nobody is left without a validated key by a decision about one device.
"""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.second_keys import FIRST_DEVICE, check_device_name
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.lifecycle import By, last_generation, noted
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.person import Device, DeviceKeys, Person, PersonKey


def revoked_device(person: Person, device: str, by: By) -> Person:
    """The keys of this device are dead. If it is the first one, the second takes its place."""
    _require_validated(person)
    if device == person.first_device:
        return _first_replaced(person, device, by)
    if device == FIRST_DEVICE:
        return person  # it was revoked: that is why the first device has another name now
    if device not in person.devices:
        raise FleetMfaError(f"{person.user} has no such device in the key store; {_devices_of(person)}")
    before = person.devices[device]
    if before.revoked_through and not person.living_of(device):
        return person
    after = person.with_device(device, replace(before, revoked_through=last_generation(person)))
    if after.current.validated is None:
        raise _only_device(person, device)
    return noted(after, f"second device {device} revoked", by)


def with_new_device_key(person: Person, device: str, key: PersonKey, again: bool, by: By) -> Person:
    """Earlier keys of this second device are dead, and `key`, of a generation that is determined here, is pending.

    A pending key that was given for it and still waits is kept, unless `again`.
    """
    _require_validated(person)
    if device == person.first_device or device == FIRST_DEVICE:
        raise FleetMfaError(
            f"{device} is the first device of {person.user}. Give a new key without mfa_recover_device, for which all devices are "
            "revoked; or revoke the device (playbook revoke, mfa_revoke_device), whose place the second one takes, and then "
            "give the new device a key under a name of its own"
        )
    check_device_name(device)
    others = [one.device for one in person.living_devices if one.device != device]
    if others:
        raise FleetMfaError(
            f"{person.user} has a second device already, {', '.join(others)}, and a host takes one; revoke it first "
            "(playbook revoke, mfa_revoke_device)"
        )
    if waiting_key(person, device) and not again:
        return person
    dead = last_generation(person)
    new = replace(key, generation=dead + 1, created=by.when, codes=frozenset())
    before = person.devices.get(device, Device())
    after = person.with_device(device, Device({**before.keys, new.id: new}, dead))
    return noted(after, f"second device {device}: earlier keys revoked, new key {new.id}", by)


def waiting_key(person: Person, device: str) -> PersonKey | None:
    """The pending key that an operator has given this second device in place of others."""
    second = person.second
    return second.pending if second and second.device == device and second.validated is None else None


def _require_validated(person: Person) -> None:
    if person.current.validated is None:
        raise FleetMfaError(
            f"{person.user} has no validated key in the key store, and so no device that could go on; revoke or recover the "
            "person (without mfa_revoke_device and mfa_recover_device)"
        )


def _first_replaced(person: Person, device: str, by: By) -> Person:
    second = person.second
    if second is None or second.validated is None:
        raise _only_device(person, device)
    dead = last_generation(person)
    after = person.with_key(replace(second.validated, generation=dead + 1))
    for other in person.living_devices[1:]:
        after = _raised(after, other, dead + 1)
    if device in after.devices:
        after = after.with_device(device, replace(after.devices[device], revoked_through=dead))
    what = f"device {device} revoked, second device {second.device} takes its place"
    return noted(replace(after, revoked_through=dead), what, by)


def _only_device(person: Person, device: str) -> FleetMfaError:
    return FleetMfaError(
        f"{device} is the only device of {person.user} with a validated key, so nothing was changed; to deny the person, run "
        "revoke without mfa_revoke_device, and for a new key run recover without mfa_recover_device"
    )


def _raised(person: Person, other: DeviceKeys, generation: int) -> Person:
    """Its keys survive that all keys of before are revoked."""
    device = person.devices[other.device]
    keys = [replace(key, generation=generation) for key in (other.validated, other.pending) if key]
    return person.with_device(other.device, replace(device, keys={**device.keys, **{key.id: key for key in keys}}))


def _devices_of(person: Person) -> str:
    names = [person.first_device, *(one.device for one in person.living_devices)]
    return f"the devices are {', '.join(names)}; check the name, or run sync first"
