# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Texts of hosts as they may stand in a report: printable, short, and without what is a secret. Private to the collection.

No secret belongs in the evidence. But names come from logs, and people type passwords and tokens where a login asks for a name.
"""

from __future__ import annotations

import functools
import math
from typing import Any, Collection, Mapping

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._misplaced import is_secret, without_secrets

OTHER = "(other)"
_LONGEST, _DEEPEST = 2000, 20
_SHORTEST_SECRET = 6


def scrubbed(value: Any, accounts: Collection[str] = (), depth: int = 0) -> Any:
    """A copy in plain types. The name of an account is no secret, if it looks like a token, too."""
    if depth > _DEEPEST:
        raise FleetMfaError("nested too deeply")
    if isinstance(value, str):
        return value if value in accounts and not is_secret(value) else text_of_host(value)
    if isinstance(value, dict):
        return {text_of_host(str(name)): scrubbed(inner, accounts, depth + 1) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [scrubbed(entry, accounts, depth + 1) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None  # JSON has no such number
    return value if value is None or isinstance(value, (bool, int, float)) else text_of_host(str(value))


# A fleet says the same few things of a million accounts.
@functools.lru_cache(maxsize=1 << 16)
def text_of_host(text: str) -> str:
    """On one line, without what would control a terminal."""
    if not text.isprintable():
        text = "".join(letter if letter.isprintable() else "?" for letter in " ".join(text.split()))
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]}..."
    return without_secrets(text) if len(text) >= _SHORTEST_SECRET else str(text)


def scrubbed_events(events: list[dict[str, Any]], accounts: Collection[str]) -> list[dict[str, Any]]:
    """A name that is not among the users in the evidence may be anything that was typed; such events of an address are one."""
    merged: dict[tuple[Any, Any, Any], dict[str, Any]] = {}
    for event in events:
        user = event["user"] if not event["user"] or event["user"] in accounts else OTHER
        key = (event["event"], user, event["address"])
        if key in merged:
            _add(merged[key], event)
        else:
            merged[key] = {**event, "user": user}
    return list(merged.values())


def _add(known: dict[str, Any], more: Mapping[str, Any]) -> None:
    known["count"] += more["count"]
    for name, pick in (("first", min), ("last", max)):
        times = [one[name] for one in (known, more) if one.get(name)]
        known[name] = pick(times) if times else None
