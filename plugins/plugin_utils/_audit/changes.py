# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What is different between two documents: new, gone, changed. Private to the collection."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Iterator

from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.document import Document

_Place = tuple[str, str]  # host, user
_Finding = tuple[str, str, bool]  # id, host, whether it is accepted


def changes(before: Document, after: Document) -> dict[str, Any]:
    """Findings are told by id and host; a finding whose evidence differs, or that was accepted, has changed.

    Users are told in groups: all hosts on which a user's state went from the same to the same.
    """
    old, new = _findings(before), _findings(after)
    return {
        "since": before["run"]["finished"],
        "sha256": before["sha256"],
        "findings": {
            "new": [_told(one) for one in sorted(new.keys() - old.keys())],
            "gone": [_told(one) for one in sorted(old.keys() - new.keys())],
            "changed": [_told(one) for one in sorted(new.keys() & old.keys()) if new[one] != old[one]],
        },
        "hosts": _sets(_hosts(before), _hosts(after)),
        "users": [*_users(before, after)],
        "controls": [*_controls(before, after)],
        "coverage_percent": {
            name: [document["figures"][name]["coverage_percent"] for document in (before, after)]
            for name in ("accounts", "admins")
        },
    }


def _findings(document: Document) -> dict[_Finding, list[str]]:
    told: dict[_Finding, list[str]] = defaultdict(list)
    for one in document["findings"]:
        told[one["id"], one["host"], bool(one["accepted"])] += one["evidence"]
    return {key: sorted(evidence) for key, evidence in told.items()}


def _told(one: _Finding) -> dict[str, Any]:
    return {"id": one[0], "host": one[1], "accepted": one[2]}


def _hosts(document: Document) -> set[str]:
    return {one["host"] for one in document["hosts"]}


def _sets(before: set[str], after: set[str]) -> dict[str, list[str]]:
    """Of hosts that were audited."""
    return {"new": sorted(after - before), "gone": sorted(before - after)}


def _users(before: Document, after: Document) -> Iterator[dict[str, Any]]:
    """On hosts that both have seen."""
    both = _hosts(before) & _hosts(after)
    old, new = _states(before, both), _states(after, both)
    where: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for place in old.keys() | new.keys():
        states = old.get(place, "absent"), new.get(place, "absent")
        if states[0] != states[1]:
            where[(place[1], *states)].append(place[0])
    for (user, was, now), hosts in sorted(where.items()):
        yield {"user": user, "before": was, "after": now, "hosts": sorted(hosts)}


def _states(document: Document, hosts: set[str]) -> dict[_Place, str]:
    return {
        (host["host"], one["user"]): one["state"]
        for host in document["hosts"]
        if host["host"] in hosts
        for one in host["evidence"]["users"]
    }


def _controls(before: Document, after: Document) -> Iterator[dict[str, str]]:
    old = {(one["framework"], one["number"]): one["state"] for one in before["controls"]}
    for one in after["controls"]:
        was = old.get((one["framework"], one["number"]))
        if was is not None and was != one["state"]:
            yield {"framework": one["framework"], "number": one["number"], "before": was, "after": one["state"]}
