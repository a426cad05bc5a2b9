# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The shape of the evidence of one host, which anybody who is root there may have made up. Private to the collection."""

from __future__ import annotations

import math
from typing import Any

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._findings import SEVERITIES
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.exemptions import OPTIONS

USER_STATES = ("none", "pending", "validated", "enforced", "exempt")
DOOR_STATES = ("covered", "not_covered", "not_judged", "not_reachable")
EVENTS = ("accepted", "refused", "reused", "rate_limited", "locked")

# A type; a list of one shape; a dictionary of shapes, all of which have to be there; a tuple of alternatives.
_TEXT = (str, None)
_TIME = (str, None)
_NUMBER = (int, float)
_SSHD_CLASS = {
    "users": int,
    "examples": [str],
    "enforced": bool,
    "needs": [[str]],
    "verdict": str,
    "counterexample": [{"method": str, "effect": str}],
    "reason": str,
}
EVIDENCE: dict[str, Any] = {
    "schema": int,
    "collected": str,
    "seconds": _NUMBER,
    "system": {"distribution": _TEXT, "version": _TEXT, "kernel": _TEXT, "hostname": _TEXT},
    "versions": {"openssh": _TEXT, "pam": _TEXT, "pam_google_authenticator": _TEXT, "python": _TEXT},
    "mfa": {
        "managed": bool,
        "group": _TEXT,
        "state_dir": _TEXT,
        "enrollment": ({"start": _TEXT, "days": (int, None), "overdue": _TEXT}, None),
    },
    "exemptions": [
        {
            "kind": str,
            "name": str,
            "reason": _TEXT,
            "approved_by": _TEXT,
            "until": _TIME,
            "ended": bool,
            "kept": [str],
        }
    ],
    "sshd": ({"classes": [_SSHD_CLASS]}, {"error": str}),
    "doors": [{"name": str, "kind": str, "where": [str], "program": _TEXT, "state": str, "reason": _TEXT}],
    "users": [
        {
            "user": str,
            "uid": (int, None),
            "human": bool,
            "admin": [str],
            "state": str,
            "since": _TIME,
            "last_login": _TIME,
            "recovery_codes": (int, None),
            "deadline": _TIME,
            "overdue": bool,
            "can_log_in": (bool, None),
            "used_tokens": [{"key": str, "step": int}],
        }
    ],
    "clock": {"time": (*_NUMBER, None), "synchronized": (bool, None), "service": _TEXT, "tolerance": (int, None)},
    "logs": {
        "days": (int, None),
        "source": str,
        "truncated": bool,
        "events": [{"event": str, "user": _TEXT, "address": _TEXT, "count": int, "first": _TIME, "last": _TIME}],
    },
    "drift": [{"path": str, "problem": str}],
    "findings": [{"id": str, "severity": str, "evidence": [str], "remedy": str}],
}


def check_evidence(evidence: Any) -> None:
    """A FleetMfaError names the place that is not as it has to be, never its value."""
    check_shape(evidence, EVIDENCE, "evidence")
    if evidence["schema"] != 1:
        raise FleetMfaError(
            "evidence: schema: another version than 1; use the same version of the collection for all hosts"
        )
    if any(event["count"] < 0 for event in evidence["logs"]["events"]):
        raise FleetMfaError("evidence: logs: events: count: is negative")
    for place, name, choices in (
        ("users", "state", USER_STATES),
        ("exemptions", "kind", OPTIONS),
        ("doors", "state", DOOR_STATES),
        ("findings", "severity", SEVERITIES),
    ):
        for number, entry in enumerate(evidence[place], 1):
            if entry[name] not in choices:
                raise FleetMfaError(f"evidence: {place}, entry {number}: {name}: not one of {', '.join(choices)}")


def check_shape(value: Any, shape: Any, place: str) -> None:
    """A FleetMfaError names the place that does not have the shape, never its value."""
    if isinstance(shape, tuple):
        _check_one_of(value, shape, place)
    elif isinstance(shape, dict):
        _check_names(value, shape, place)
    elif isinstance(shape, list):
        if not isinstance(value, (list, tuple)):
            raise FleetMfaError(f"{place}: not a list")
        for number, entry in enumerate(value, 1):
            check_shape(entry, shape[0], f"{place}, entry {number}")
    elif not _is_of_type(value, shape):
        raise FleetMfaError(f"{place}: not of type {shape.__name__}")


def _check_names(value: Any, shape: dict[str, Any], place: str) -> None:
    if not isinstance(value, dict):
        raise FleetMfaError(f"{place}: not a dictionary")
    for name, inner in shape.items():
        if name not in value:
            raise FleetMfaError(f"{place}: {name} is missing")
        if not (isinstance(inner, type) and _is_of_type(value[name], inner)):
            check_shape(value[name], inner, f"{place}: {name}")


def _check_one_of(value: Any, shapes: tuple[Any, ...], place: str) -> None:
    if value is None and None in shapes:
        return None
    problem = None
    for shape in shapes:
        if shape is None:
            continue
        try:
            return check_shape(value, shape, place)
        except FleetMfaError as error:
            problem = problem or error
    raise problem or FleetMfaError(f"{place}: is missing")


def _is_of_type(value: Any, kind: type) -> bool:
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, kind) and (not isinstance(value, float) or math.isfinite(value))
