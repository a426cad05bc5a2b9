# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The figures of a report: accounts by state, coverage, hosts, doors, log events. Private to the collection.

An account is a human user on a host: a person with accounts on three hosts counts three times.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Iterable, Mapping, Sequence

from ansible_collections.fleetmfa.ssh.plugins.module_utils._findings import SEVERITIES
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.evidence import AuditedHost
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.found import JudgedFinding
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.shape import DOOR_STATES, EVENTS, USER_STATES


def figures(hosts: Sequence[AuditedHost], findings: Iterable[JudgedFinding]) -> dict[str, Any]:
    reached = [host.evidence for host in hosts if host.evidence is not None]
    people = [one for evidence in reached for one in evidence["users"] if one["human"]]
    admins = [one for evidence in reached for one in evidence["users"] if may_administer(one)]
    events: Counter[str] = Counter()
    for evidence in reached:
        for event in evidence["logs"]["events"]:
            events[event["event"]] += event["count"]
    doors = Counter(door["state"] for evidence in reached for door in evidence["doors"])
    open_, accepted = Counter[str](), Counter[str]()
    for one in findings:
        (accepted if one.accepted else open_)[one.severity] += 1
    return {
        "hosts": {
            "all": len(hosts),
            "reached": len(reached),
            "not_read": sum("error" in evidence["sshd"] for evidence in reached),
            "nobody_enforced": sum(
                all(one["state"] != "enforced" for one in evidence["users"]) for evidence in reached
            ),
            "managed": sum(evidence["mfa"]["managed"] for evidence in reached),
        },
        "people": len({one["user"] for one in people}),
        "accounts": _coverage(people),
        "admins": _coverage(admins),
        "overdue": sum(one["overdue"] for one in people),
        "doors": {state: doors[state] for state in DOOR_STATES},
        "events": {event: events[event] for event in EVENTS},
        "findings": {severity: {"open": open_[severity], "accepted": accepted[severity]} for severity in SEVERITIES},
    }


def may_administer(user: Mapping[str, Any]) -> bool:
    """Whether this is an administrator who can log in by SSH, as far as that is known."""
    return bool(user["admin"]) and user["can_log_in"] is not False


def _coverage(accounts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    states = Counter(one["state"] for one in accounts)
    enforced, count = states["enforced"], len(accounts)
    # Rounded down: 100 means all.
    percent = enforced * 1000 // count / 10 if count else None
    return {"all": count, "coverage_percent": percent, **{state: states[state] for state in USER_STATES}}
