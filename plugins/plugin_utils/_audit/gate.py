# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Whether an audit passes, and its last lines. Private to the collection."""

from __future__ import annotations

from typing import Any, Iterable

from ansible_collections.fleetmfa.ssh.plugins.module_utils._findings import SEVERITIES
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.document import Document
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.fleet import names

NONE = "none"
FAIL_ON = (NONE, *reversed(SEVERITIES))
_MOST_LINES = 20


def at_or_above(severity: str) -> tuple[str, ...]:
    return tuple(SEVERITIES[: SEVERITIES.index(severity) + 1])


def refused(document: Document, fail_on: str) -> list[dict[str, Any]]:
    """The open findings at or above this severity; the most severe first."""
    if fail_on == NONE:
        return []
    enough = at_or_above(fail_on)
    return [one for one in document["findings"] if one["severity"] in enough and not one["accepted"]]


def summary(document: Document) -> str:
    """One line: hosts, accounts, findings."""
    figures = document["figures"]
    hosts, accounts = figures["hosts"], figures["accounts"]
    away = hosts["all"] - hosts["reached"]
    counts = [f"{count['open']} {severity}" for severity, count in figures["findings"].items() if count["open"]]
    accepted = sum(count["accepted"] for count in figures["findings"].values())
    parts = [
        counted(hosts["all"], "host") + (f" ({away} NOT REACHED)" if away else ""),
        f"{accounts['enforced']} of {accounts['all']} human accounts are enforced",
        f"findings: {', '.join(counts) or 'none'}" + (f" ({accepted} more accepted)" if accepted else ""),
    ]
    return "; ".join(parts)


def last_lines(found: Iterable[dict[str, Any]], fail_on: str) -> list[str]:
    """What and where: a line for each kind of finding."""
    where: dict[tuple[str, str, str], list[str]] = {}
    for one in found:
        where.setdefault((one["severity"], one["id"], one["message"]), []).append(one["host"])
    lines = [f"{severity} {name} on {names(hosts)}: {message}" for (severity, name, message), hosts in where.items()]
    more = len(lines) - _MOST_LINES
    head = f"{counted(sum(map(len, where.values())), 'finding')} at or above {fail_on} (mfa_audit_fail_on)"
    return [head, *lines[:_MOST_LINES], *([f"and {more} more kinds of finding"] if more > 0 else [])]


def counted(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
