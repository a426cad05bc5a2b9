# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The document for spreadsheets. Private to the collection."""

from __future__ import annotations

import csv
import io
from typing import Any, Iterable

from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.document import Document

USERS = (
    "host",
    "user",
    "uid",
    "human",
    "admin",
    "state",
    "since",
    "last_login",
    "recovery_codes",
    "deadline",
    "overdue",
    "devices",
)
FINDINGS = (
    "severity",
    "id",
    "host",
    "title",
    "message",
    "evidence",
    "remedy",
    "accepted",
    "owner",
    "until",
    "controls",
)
# What a spreadsheet takes for a formula, or for something to skip before one.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def users_csv(document: Document) -> bytes:
    """One row for each user on each host."""
    rows = (
        [host["host"], *(_cell(one.get(name)) for name in USERS[1:])]
        for host in document["hosts"]
        for one in host["evidence"]["users"]
    )
    return _csv(USERS, rows)


def findings_csv(document: Document) -> bytes:
    """One row for each finding on each host."""
    return _csv(FINDINGS, (_row(one, document["catalogue"][one["id"]]) for one in document["findings"]))


def _row(one: dict[str, Any], kind: dict[str, Any]) -> list[Any]:
    accepted = one["accepted"] or {}
    given = [one["severity"], one["id"], one["host"], kind["title"], one["message"], one["evidence"], one["remedy"]]
    return [
        *map(_cell, given),
        *(accepted.get(name, "") for name in ("reason", "owner", "until")),
        _cell(kind["controls"]),
    ]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "; ".join(map(str, value)) if isinstance(value, list) else str(value)


def _csv(head: Iterable[str], rows: Iterable[Iterable[Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerow(head)
    writer.writerows([_safe(cell) for cell in row] for row in rows)
    return text.getvalue().encode()


def _safe(cell: str) -> str:
    """An apostrophe makes a text of what a spreadsheet would compute."""
    return f"'{cell}" if cell.lstrip(" ").startswith(_FORMULA) else cell
