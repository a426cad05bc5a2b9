# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Real logins beside the proofs: the rows of ssh_login_probe as evidence. Private to the collection."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Iterable, Iterator, Sequence

from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.found import JudgedFinding, found
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.scrub import scrubbed
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.shape import check_shape
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._login_probe.row import ERROR, RESULTS

_LOGIN = {
    "host": str,
    "user": str,
    "expected": str,
    "result": str,
    "reason": str,
    "seconds": (int, float),
    "steps": [{"method": str, "outcome": str, "methods": [str], "prompts": [str]}],
}


def read_logins(rows: Any) -> list[dict[str, Any]]:
    """Of the rows that ssh_login_probe returns, what the document keeps. Prompts and reasons are texts of hosts."""
    check_shape(rows, [_LOGIN], "logins")
    kept = [{name: row[name] for name in _LOGIN} for row in rows]
    logins: list[dict[str, Any]] = scrubbed(kept, {row["user"] for row in kept})
    return logins


def login_findings(logins: Iterable[dict[str, Any]]) -> Iterator[JudgedFinding]:
    """On each host at most two: logins that were not as expected, and logins that could not be judged."""
    told: dict[tuple[str, str], list[str]] = defaultdict(list)
    for one in logins:
        if one["result"] != one["expected"]:
            name = "login_not_judged" if one["result"] == ERROR else "login_not_as_expected"
            told[name, one["host"]].append(_text(one))
    for (name, host), texts in told.items():
        yield found(name, host, texts)


def login_figures(logins: Sequence[dict[str, Any]]) -> dict[str, int]:
    results = [one["result"] for one in logins]
    as_expected = sum(one["result"] == one["expected"] for one in logins)
    return {"all": len(logins), "as_expected": as_expected, **{result: results.count(result) for result in RESULTS}}


def _text(one: dict[str, Any]) -> str:
    """Begins with the user, as what a waiver for one user is compared with."""
    reason = f" ({one['reason']})" if one["reason"] else ""
    return f"{one['user']}: expected {_words(one['expected'])}, was {_words(one['result'])}{reason}"


def _words(result: str) -> str:
    return "not judged" if result == ERROR else result.replace("_", " ")
