# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""docs/notices.md has exactly the events, details and fields that hosts tell; whatever is recorded is an event."""

from __future__ import annotations

import re
from pathlib import Path

from ansible_collections.fleetmfa.ssh.plugins.module_utils._notices.program import _EVENTS
from ansible_collections.fleetmfa.ssh.plugins.module_utils._notices.words import DETAILS, EVENTS, document

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/notices.md").read_text()


def rows():
    table = PAGE.partition("## Events")[2].partition("\n\nA reset")[0]
    return re.findall(r"^\| `(\w+)` \| (.*) \| (.*)\|$", table, re.MULTILINE)


def test_events():
    assert [event for event, _when, _details in rows()] == list(EVENTS)
    assert set(DETAILS) <= set(EVENTS)


def test_details():
    told = {event: re.findall(r"`(\w+)`", details) for event, _when, details in rows()}
    assert {event: set(names) for event, names in told.items()} == {
        event: set(DETAILS.get(event, ())) for event in EVENTS
    }


def test_fields():
    notice = {"event": "unlocked", "user": "alice", "time": 0, "by": "host", "details": {}}
    table = PAGE.partition("## The document")[2].partition("**It contains no secret**")[0]
    cells = re.findall(r"^\| (`[^|]*) \|", table, re.MULTILINE)
    fields = re.findall(r"`(\w+)`", " ".join(cells))
    assert set(fields) == set(document(notice, "web1", False, "1"))


def test_whatever_is_recorded_is_an_event():
    sources = [path.read_text() for path in (ROOT / "plugins/module_utils").rglob("*.py")]
    recorded = {event for text in sources for event in re.findall(r"\btell\([\w.]+, \"(\w+)\"", text)}
    assert recorded | set(_EVENTS.values()) == set(EVENTS)


def test_by_whom():
    sources = [
        path.read_text() for folder in ("module_utils", "modules") for path in (ROOT / "plugins" / folder).rglob("*.py")
    ]
    by = {who for text in sources for who in re.findall(r"\.by = \"(\w+)\"", text)}
    (row,) = re.findall(r"^\| `by` \| (.*) \|$", PAGE, re.MULTILINE)
    assert set(re.findall(r"`(user|operator|store|host)`", row)) == by
