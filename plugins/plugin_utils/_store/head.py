# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The record about the store itself, as JSON. Private to the collection."""

from __future__ import annotations

import re
import secrets
from typing import Any

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.fields import Fields
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.store import FORMAT, StoreHead


def new_head() -> StoreHead:
    return StoreHead(secrets.token_hex(8), {})


def head_record(head: StoreHead) -> dict[str, Any]:
    return {"format": FORMAT, "store": head.id, "aliases": head.aliases}


def head_from_record(record: Any, where: str) -> StoreHead:
    """A FleetMfaError if this is not the head of a store that this version can read."""
    fields = Fields(record, where)
    if not fields.has("format") or not fields.has("store"):
        raise FleetMfaError(f"{where} is not a key store: it has no head; give another path, or restore its backup")
    version = fields.number("format", 1, 10**6)
    if version != FORMAT:
        raise fields.wrong("format", f"must be {FORMAT}; use the version of the collection that has written it")
    store = fields.text("store")
    if not re.fullmatch("[0-9a-f]{16}", store):
        raise fields.wrong("store", "must be the 16 hexadecimal digits that the store was made with")
    aliases = fields.mapping("aliases")
    for names in aliases.values():
        if not isinstance(names, dict) or not all(isinstance(user, str) for user in names.values()):
            raise fields.wrong("aliases", 'must be like {"host or group": {"account there": "user"}}')
    fields.finish()
    return StoreHead(store, aliases)
