# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Reads mfa_security_keys: users, and the public keys of their security keys. Private to the collection. No message contains a value."""

from __future__ import annotations

from typing import Any, Callable, Iterator

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.public_keys import security_key
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._entry_lists import structure
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._refused_secrets import refuse_secrets

_ITEMS = {"user", "keys"}


def read_security_keys(value: Any, name: Callable[[int, Any], str]) -> list[dict[str, Any]]:
    """The entries, each key without its comment; `name` checks a name at one place of the list."""
    if isinstance(value, str):
        value = structure(value, list)
    if not isinstance(value, (list, tuple)):
        raise FleetMfaError("must be a list of entries, each with user and keys")
    refuse_secrets(value)
    read: list[dict[str, Any]] = []
    for number, entry in enumerate(value, 1):
        if not isinstance(entry, dict) or set(entry) != _ITEMS:
            raise FleetMfaError(f"entry {number} must have user and keys, and nothing else")
        user, keys = name(number, entry["user"]), entry["keys"]
        if user in (one["user"] for one in read):
            raise FleetMfaError(f"entry {number} has a user who has an entry before; put all keys into one of the two")
        if not isinstance(keys, (list, tuple)) or not keys:
            raise FleetMfaError(f"entry {number}: keys must be a list with at least one public key")
        try:
            read.append({"user": user, "keys": list(_keys(keys))})
        except FleetMfaError as error:
            raise FleetMfaError(f"entry {number}: {error}") from None
    return read


def _keys(lines: Any) -> Iterator[str]:
    for number, line in enumerate(lines, 1):
        try:
            yield security_key(line if isinstance(line, str) else "")
        except FleetMfaError as error:
            raise FleetMfaError(f"key {number} {error}") from None
