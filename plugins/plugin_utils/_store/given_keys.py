# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Entries of mfa_keys that contradict the key store. Private to the collection.

`site` applies mfa_keys to a host and then gives the host what the store has. If the two disagree about whether a user is
enforced, or with which key, each run would undo the other, and between the two the user is not asked for the right token.
"""

from __future__ import annotations

from typing import Any, Iterable, Iterator, Mapping, TypedDict

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.otpauth import given_key
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.totp import canonical_secret
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.person import Device, Person

_NOTHING_CHANGED = "nothing was changed on this host, because mfa_keys contradicts the key store: "


class OperatorKey(TypedDict):
    """An entry of mfa_keys; `secret` is None if it has none, or one that totp_key refuses."""

    user: str
    device: str | None  # the name of a second device
    state: str
    secret: str | None


def given_keys(entries: Iterable[Mapping[str, Any]]) -> list[OperatorKey]:
    return [
        {
            "user": str(one["user"]),
            "device": one.get("device"),
            "state": one.get("state") or "present",
            "secret": _secret(one.get("secret")),
        }
        for one in entries
    ]


def _secret(text: Any) -> str | None:
    try:
        return canonical_secret(given_key(text).secret) if isinstance(text, str) else None
    except FleetMfaError:
        return None


def refuse_contradictions(given: list[OperatorKey], names: Mapping[str, str], people: Mapping[str, Person]) -> None:
    """`names` are the people by account."""
    found = list(_contradictions(given, names, people))
    if found:
        raise FleetMfaError(_NOTHING_CHANGED + "; ".join(found))


def _contradictions(given: list[OperatorKey], names: Mapping[str, str], people: Mapping[str, Person]) -> Iterator[str]:
    for number, one in enumerate(given, 1):
        person = people.get(names[one["user"]])
        problem = person and _contradiction(one, person)
        if problem:
            yield f"entry {number}, user {one['user']}: {problem}"


def _contradiction(given: OperatorKey, person: Person) -> str | None:
    current = person.current
    state, validated = given["state"], current.validated
    if current.denied:
        return "all keys of this person were revoked; take the entry out"
    if given["device"]:
        return _contradiction_of_device(given, given["device"], person)
    if state == "absent" and (validated or current.pending):
        return "the user has a key in the key store; take the entry out, and name the user in mfa_exempt_users to stop asking"
    if state == "pending" and validated:
        return "the user has a validated key in the key store; take the entry out"
    if state == "validated" and validated and given["secret"] not in (None, validated.secret):
        return "the user has another validated key in the key store; take the entry out"
    return None


def _contradiction_of_device(given: OperatorKey, device: str, person: Person) -> str | None:
    """The second device that counts is `second`; one that took the place of the first device is not in question any more."""
    state, secret, second = given["state"], given["secret"], person.second
    if device == person.first_device:
        return None
    living = {key.secret for key in person.living_of(device)}
    if state == "absent":
        told = f"second device {device} has a key in the key store; revoke it (playbook revoke, mfa_revoke_device)"
        return told if living else None
    if secret in {key.secret for key in person.all_keys} - _living_secrets(person):
        return f"the key of second device {device} was revoked or replaced; take the entry out"
    is_revoked = person.devices.get(device, Device()).revoked_through > person.revoked_through
    if is_revoked and secret not in living:
        return (
            f"second device {device} was revoked; take the entry out, and give a new device another name or a key from the key store "
            "(playbook recover, mfa_recover_device)"
        )
    if second is not None and second.device != device:
        return f"the person's second device is {second.device}; take the entry out, or revoke that one (playbook revoke, mfa_revoke_device)"
    validated = second and second.validated
    if state == "validated" and validated and secret not in (None, validated.secret):
        return f"second device {device} has another validated key in the key store; take the entry out"
    return None


def _living_secrets(person: Person) -> set[str]:
    first = [key for key in person.current[:2] if key]
    return {key.secret for key in [*first, *(key for name in person.devices for key in person.living_of(name))]}
