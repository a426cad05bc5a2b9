# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The lines of the table: one for each user and state, with the hosts on which it is the same. Private to the collection."""

from __future__ import annotations

import datetime
import re
from collections import defaultdict
from typing import Any, Iterable, Mapping, NamedTuple

from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._status.hosts import HostStatus

ATTENTION = ("denied", "locked", "suspended", "not_asked", "overdue", "no_account")
SOON_DAYS = 3


class StatusLine(NamedTuple):
    """A user on the hosts where the state is the same; `since` is the first, `last_login` the latest of these hosts."""

    user: str
    hosts: list[str]
    status: str
    since: str
    last_login: str
    devices: str
    codes: str
    deadline: str
    problems: int
    has_second_device: bool
    needs_attention: bool


def lines(hosts: Iterable[HostStatus], today: datetime.date) -> list[StatusLine]:
    grouped: dict[tuple[str, ...], list[tuple[str, dict[str, Any]]]] = defaultdict(list)
    for host in hosts:
        for one in host.users:
            key = (one["user"], _state(one), one["enrollment_deadline"] or "")
            grouped[key].append((host.host, one))
    return [
        _line([host for host, _one in found], [one for _host, one in found], today)
        for _key, found in sorted(grouped.items())
    ]


def _line(hosts: list[str], reports: list[dict[str, Any]], today: datetime.date) -> StatusLine:
    first = reports[0]
    problems = sum(len(one["problems"]) for one in reports)
    deadline = first["enrollment_deadline"] or ""
    state = _state(first)
    urgent = state in ATTENTION
    soon = bool(deadline) and deadline <= (today + datetime.timedelta(days=SOON_DAYS)).isoformat()
    return StatusLine(
        user=first["user"],
        hosts=hosts,
        status=state.replace("_", " "),
        since=min((one["since"] for one in reports if one["since"]), default="")[:10],
        last_login=minute(max((one["last_mfa_login"] or "" for one in reports), default="")),
        devices=_range({len(one["devices"]) for one in reports}),
        codes=_range({one["recovery_codes_left"] for one in reports}),
        deadline=deadline,
        problems=problems,
        has_second_device=any(len(one["devices"]) > 1 for one in reports),
        needs_attention=urgent or soon or bool(problems),
    )


def _state(one: Mapping[str, Any]) -> str:
    """What happens at a login; wrong tokens are no longer of interest where every login is denied anyway."""
    if one.get("revoked"):
        return "revoked"
    if one["status"] == "validated":
        return "suspended" if one.get("suspended") else "locked" if one.get("locked") else "validated"
    return str(one["status"])


def until_when(one: Mapping[str, Any]) -> str:
    """How long what does not last lasts: a lock after wrong tokens, an exemption. Empty if nothing is to be said."""
    state = _state(one)
    if state == "suspended" and not one.get("locked"):
        return "suspended until a recovery code is given or an operator unlocks"
    if state in ("locked", "suspended"):
        end = one.get("locked_until")
        return f"{state}, no prompt until {minute(end) if end else 'an operator unlocks'}"
    return f"exempt until {one['exempt_until']}, the last day" if state == "exempt" and one.get("exempt_until") else ""


def _range(numbers: set[int]) -> str:
    low, high = min(numbers), max(numbers)
    return f"{low}" if low == high else f"{low}-{high}"


def minute(time: str) -> str:
    """2026-01-31 09:00 of 2026-01-31T09:00:00Z."""
    return time[:16].replace("T", " ")


def folded(names: Iterable[str]) -> list[str]:
    """web1, web2, web3 as web[1:3], as a pattern or an inventory of Ansible has it."""
    series: dict[tuple[str, str], list[str]] = defaultdict(list)
    plain = []
    for name in names:
        match = re.fullmatch(r"(\D*)(0|[1-9]\d{0,8})(\D.*|)", name, re.ASCII)
        if match:
            series[match[1], match[3]].append(match[2])
        else:
            plain.append(name)
    return sorted([*plain, *(text for (head, tail), found in series.items() for text in _ranges(head, tail, found))])


def _ranges(head: str, tail: str, found: list[str]) -> Iterable[str]:
    numbers = sorted(map(int, found))
    start = 0
    for place, number in enumerate(numbers, 1):
        if place == len(numbers) or numbers[place] != number + 1:
            first = numbers[start]
            yield f"{head}{first}{tail}" if first == number else f"{head}[{first}:{number}]{tail}"
            start = place
