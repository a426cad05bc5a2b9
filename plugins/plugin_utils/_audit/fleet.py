# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Findings that no host can make alone. Private to the collection."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Iterable, Iterator, Mapping, NamedTuple, Sequence

from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.evidence import AuditedHost
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.found import FLEET, JudgedFinding, found
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._status.lines import folded

# Seconds by which a host's clock may differ from the controller's, as in sync; less where its tokens tolerate less.
MOST_CLOCK_DIFFERENCE = 60
_LEAST_CLOCK_DIFFERENCE = 5  # with a window of one step, any difference makes some tokens fail
_MOST_NAMES = 12


class RunTimes(NamedTuple):
    """Of the controller's clock, seconds since the epoch: nothing was collected before or after."""

    start: float
    end: float


def fleet_findings(hosts: Sequence[AuditedHost], times: RunTimes) -> Iterator[JudgedFinding]:
    for host in hosts:
        if host.evidence is None:
            yield found("host_not_reached", host.host, [host.why])
        else:
            yield from _clock(host.host, host.evidence["clock"], RunTimes(*host.asked) if host.asked else times)
    yield from _differing(hosts)
    yield from _used_twice(hosts)


def _clock(host: str, clock: Mapping[str, Any], times: RunTimes) -> Iterator[JudgedFinding]:
    time, tolerance = clock["time"], clock["tolerance"]
    if time is None:
        return
    most = (
        MOST_CLOCK_DIFFERENCE
        if tolerance is None
        else min(MOST_CLOCK_DIFFERENCE, max(tolerance, _LEAST_CLOCK_DIFFERENCE))
    )
    ahead, behind = time - times.end, times.start - time
    for seconds, word in ((ahead, "ahead of"), (behind, "behind")):
        if seconds > most:
            text = f"the clock is at least {seconds:.0f} seconds {word} the controller's"
            if tolerance is not None and seconds > tolerance:
                text += f"; right tokens are refused from {tolerance} seconds on"
            yield found("host_clock_off", host, [text])


def _differing(hosts: Iterable[AuditedHost]) -> Iterator[JudgedFinding]:
    """Human users who are asked on one host and not on another; an exemption on some hosts may be meant, but is told."""
    where: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for host in hosts:
        for one in _users(host):
            if one["human"]:
                where[one["user"]][one["state"]].append(host.host)
    texts = [
        f"{user}: " + "; ".join(f"{state} on {names(found_on)}" for state, found_on in sorted(states.items()))
        for user, states in sorted(where.items())
        if "enforced" in states and len(states) > 1
    ]
    if texts:
        yield found("user_differs", FLEET, texts)


def _used_twice(hosts: Iterable[AuditedHost]) -> Iterator[JudgedFinding]:
    """With the same key: where each host has a key of its own, the same step is another token."""
    where: dict[tuple[str, int, str], list[str]] = defaultdict(list)
    for host in hosts:
        for one in _users(host):
            for used in one["used_tokens"]:
                where[one["user"], used["step"], used["key"]].append(host.host)
    texts = [
        f"{user}: time step {step} on {names(on)}" for (user, step, _key), on in sorted(where.items()) if len(on) > 1
    ]
    if texts:
        yield found("token_used_twice", FLEET, texts)


def _users(host: AuditedHost) -> list[dict[str, Any]]:
    return [] if host.evidence is None else host.evidence["users"]


def names(hosts: list[str]) -> str:
    """web[1:3], db1 and 5 more."""
    short = folded(hosts)
    more = len(short) - _MOST_NAMES
    return ", ".join(short[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
