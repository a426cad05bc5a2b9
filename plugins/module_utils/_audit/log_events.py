# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What the log says of logins: accepted, refused, a token reused, rate-limited, locked; counted by user and address. Private.

A name that is no account of this host is not returned: people type passwords where a name belongs.
"""

from __future__ import annotations

import os
import re
from typing import Container, Iterable, Iterator, NamedTuple, TypedDict

from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit.log_lines import GUARD, LogLine, LogLines
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.utc import utc_text

ACCEPTED, REFUSED, REUSED, RATE_LIMITED, LOCKED = "accepted", "refused", "reused", "rate_limited", "locked"
_MOST_ROWS = 10_000
_FROM = r" from (?P<address>\S+) port \d+"
# Of sshd. What it says of a key or of method "none" is left out: a client tries each of its keys, and asks what it may try.
_OF_SSHD = (
    (ACCEPTED, re.compile(rf"Accepted \S+ for (?P<user>.+?){_FROM}")),
    (REFUSED, re.compile(rf"Failed (?!none |publickey )\S+ for (?!invalid user )(?P<user>.+?){_FROM}")),
    (REFUSED, re.compile(rf"Invalid user (?P<unknown>.*){_FROM}$")),
    (LOCKED, re.compile(r"User (?P<user>.+?) (?:from (?P<address>\S+) )?not allowed because account is locked")),
    (REFUSED, re.compile(r"User (?P<user>.+?) from (?P<address>\S+) not allowed because ")),
    (REFUSED, re.compile(r"Access denied for user (?P<user>.+?) by PAM account configuration")),
    (
        LOCKED,
        re.compile(
            r"pam_faillock\(\S+\): Consecutive login failures for user (?P<user>\S+) account temporarily locked"
        ),
    ),
    (LOCKED, re.compile(r"pam_tally2?\(\S+\): user (?P<user>\S+) \(\d+\) tally \d+, deny ")),
)
_OF_GUARD = re.compile(r"(?:refused|locked) (?P<user>.+?)(?: \(as .*?\))?(?: from (?P<address>\S+))?: (?P<reason>.*)")
_REASONS = (
    (REUSED, re.compile(r"this token has already let in ")),
    (RATE_LIMITED, re.compile(r"more than \d+ attempts in ")),
    (LOCKED, re.compile(r"(?:locked after )?\d+ wrong tokens in a row")),
)
# Of the token module. sshd says itself that it has refused a wrong token, and from where.
_OF_MODULE = (
    (REUSED, re.compile(r'Trying to reuse a previously used time-based code\.(?: \("(?P<file>[^"]*)"\))?')),
    (RATE_LIMITED, re.compile(r'Too many concurrent login attempts(?: \("(?P<file>[^"]*)"\))?')),
)
_PREFIX = re.compile(r"(?:error|fatal): ")


class EventRow(TypedDict):
    """`user` "" if it is no account of this host, `address` "" if the log does not say; times UTC, ISO 8601."""

    event: str
    user: str
    address: str
    count: int
    first: str
    last: str


class LogReport(TypedDict):
    """`truncated`: there were more lines or rows than are read or returned."""

    days: int
    source: str
    events: list[EventRow]
    truncated: bool


class LogEvent(NamedTuple):
    event: str
    user: str
    address: str


def log_report(days: int, found: LogLines, known: Container[str]) -> LogReport:
    """`known`: the names that are accounts of this host."""
    seen: dict[LogEvent, list[float]] = {}
    for line in found.lines:
        event = event_of(line, known)
        if event is not None:
            count, first, last = seen.get(event, [0, line.when, line.when])
            seen[event] = [count + 1, min(first, line.when), max(last, line.when)]
    most = sorted(seen.items(), key=lambda item: (-item[1][0], item[0]))
    rows = [_row(event, *figures) for event, figures in most[:_MOST_ROWS]]
    return {"days": days, "source": found.source, "events": rows, "truncated": found.cut or len(most) > _MOST_ROWS}


def _row(event: LogEvent, count: float, first: float, last: float) -> EventRow:
    return {
        "event": event.event,
        "user": event.user,
        "address": event.address,
        "count": int(count),
        "first": utc_text(int(first)),
        "last": utc_text(int(last)),
    }


def event_of(line: LogLine, known: Container[str]) -> LogEvent | None:
    if line.ident == GUARD:
        found = _of_guard(line.message)
    elif line.ident.endswith(")"):
        found = _of_module(line.message)
    else:
        found = _of_sshd(line.message)
    return found and found._replace(user=found.user if found.user in known else "")


def _of_sshd(message: str) -> LogEvent | None:
    prefix = _PREFIX.match(message)
    for event, found in _matches(_OF_SSHD, message[prefix.end() :] if prefix else message):
        groups = found.groupdict()
        return LogEvent(event, groups.get("user") or "", groups.get("address") or "")
    return None


def _of_guard(message: str) -> LogEvent | None:
    found = _OF_GUARD.match(message)
    if found is None:
        return None
    event = next((event for event, _one in _matches(_REASONS, found["reason"])), REFUSED)
    return LogEvent(event, found["user"], found["address"] or "")


def _of_module(message: str) -> LogEvent | None:
    """It names the key file: keys/USER of this collection, or a file in the user's home directory."""
    for event, found in _matches(_OF_MODULE, message):
        folder, name = os.path.split(found["file"] or "")
        return LogEvent(event, os.path.basename(folder) if name.startswith(".") else name, "")
    return None


def _matches(patterns: Iterable[tuple[str, re.Pattern[str]]], text: str) -> Iterator[tuple[str, re.Match[str]]]:
    for event, pattern in patterns:
        found = pattern.match(text)
        if found:
            yield event, found
