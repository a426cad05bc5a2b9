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
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.person import CurrentKeys, Person

_NOTHING_CHANGED = "nothing was changed on this host, because mfa_keys contradicts the key store: "


class OperatorKey(TypedDict):
    """An entry of mfa_keys; `secret` is None if it has none, or one that totp_key refuses."""

    user: str
    device: str | None  # of a second device, which the key store does not know
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
        problem = person and _contradiction(one, person.current)
        if problem:
            yield f"entry {number}, user {one['user']}: {problem}"


def _contradiction(given: OperatorKey, current: CurrentKeys) -> str | None:
    state, validated = given["state"], current.validated
    if current.denied:
        return "all keys of this person were revoked; take the entry out"
    if given["device"]:
        return None
    if state == "absent" and (validated or current.pending):
        return "the user has a key in the key store; take the entry out, and name the user in mfa_exempt_users to stop asking"
    if state == "pending" and validated:
        return "the user has a validated key in the key store; take the entry out"
    if state == "validated" and validated and given["secret"] not in (None, validated.secret):
        return "the user has another validated key in the key store; take the entry out"
    return None
