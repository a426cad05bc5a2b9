# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What an import tells an operator, without secrets. Private to the collection."""

from __future__ import annotations

from typing import Any, Mapping

from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.imported import ImportCandidate
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.person import Person


def row_of(one: ImportCandidate, why: str | None, after: Person) -> dict[str, Any]:
    """`why` is the refusal, `after` the record of the person after the import."""
    found = one.found
    stored = after.keys.get(one.key.id) if why is None else None
    is_validated = stored is not None and stored.validated is not None
    state = None if stored is None else "validated" if is_validated else "pending"
    return {
        "person": one.person,
        "user": found["user"],
        "host": one.place,
        "source": found["source"],
        "imported": why is None,
        "state": state,
        "why": why or ("" if is_validated else one.doubt),
        "key": one.key.id,
        "last_used": found["last_used"],
        "recovery_codes": len(found["codes"]),
        "used_tokens": len(found["used"]),
        "not_carried": found["not_carried"],
        "notes": found["notes"],
    }


def refused_row(person: str, user: str, host: str, source: str, why: str) -> dict[str, Any]:
    """What was not even a key."""
    empty: dict[str, Any] = {"key": None, "last_used": None, "recovery_codes": 0, "used_tokens": 0}
    told = {
        "person": person,
        "user": user,
        "host": host,
        "source": source,
        "imported": False,
        "state": None,
        "why": why,
    }
    return {**told, **empty, "not_carried": [], "notes": []}


def line_of(row: Mapping[str, Any]) -> str:
    """One row in words."""
    user = row["user"] or row["person"] or "(nobody)"
    name = (
        f"{user} on {row['host']}" if user == (row["person"] or user) else f"{row['person']} ({user} on {row['host']})"
    )
    because = f" ({row['why']})" if row["why"] else ""
    if row["imported"]:
        codes = row["recovery_codes"]
        words = [f"imported as {row['state']}{because}", f"{codes} recovery code{'' if codes == 1 else 's'}"]
    else:
        words = [f"NOT imported{because}"]
    if row["not_carried"]:
        words.append(f"not carried over: {', '.join(row['not_carried'])}")
    words += row["notes"]
    return f"{name}: {'; '.join(words)} [{row['source']}]"
