# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The status of the fleet as text of 100 columns. Private to the collection."""

from __future__ import annotations

import datetime
import textwrap
from collections import Counter, defaultdict
from typing import Iterator

from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._status.hosts import HostStatus, printable
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._status.lines import (
    StatusLine,
    folded,
    lines,
    minute,
    until_when,
)

WIDTH = 100
HEAD = ("USER", "HOSTS", "STATE", "SINCE", "LAST MFA LOGIN", "DEVICES", "CODES", "DEADLINE", "PROBLEMS")
_DEVICES = HEAD.index("DEVICES")
_NARROWEST_HOSTS = 14


def status_text(hosts: list[HostStatus], unknown: list[str], now: datetime.datetime, attention: bool) -> str:
    """With `attention`, only the lines of the table that need some; all that is said beside the table stays."""
    found = lines(hosts, now.date())
    shown = [line for line in found if line.needs_attention or not attention]
    reached = [one.host for one in hosts if one.why is None]
    parts = [[_summary(found, hosts, now)]]
    parts.append(
        [*_table(shown, reached)] if shown else ["Nothing needs attention." if attention and found else "No users."]
    )
    parts.append([*_lasting(hosts, reached)])
    parts.append([*_problems(hosts, reached)])
    parts.append([*_syncs(hosts, reached)])
    parts.append([_wrapped(f"No host has an account or a key of {printable(name)}.") for name in unknown])
    parts.append([_wrapped(f"NOT REACHED  {one.host}: {one.why}") for one in hosts if one.why is not None])
    return "\n\n".join("\n".join(part) for part in parts if part)


def _summary(found: list[StatusLine], hosts: list[HostStatus], now: datetime.datetime) -> str:
    states = defaultdict(set)
    for line in found:
        states[line.user].add(line.status)
    counts = Counter(" ".join(each) if len(each) == 1 else "different on some hosts" for each in states.values())
    words = ", ".join(f"{count} {state}" for state, count in counts.most_common())
    away = sum(one.why is not None for one in hosts)
    of_hosts = f"{len(hosts)} hosts" + (f" ({away} NOT REACHED)" if away else "")
    text = f"{now:%Y-%m-%d %H:%M} UTC: {of_hosts}, {len(states)} users{': ' if words else ''}{words}"
    return _wrapped(text)


def _table(shown: list[StatusLine], reached: list[str]) -> Iterator[str]:
    head: tuple[str, ...] = HEAD
    rows: list[tuple[str, ...]] = [
        (
            printable(one.user),
            "",
            one.status,
            one.since,
            one.last_login,
            one.devices,
            one.codes,
            one.deadline,
            str(one.problems or ""),
        )
        for one in shown
    ]
    if not any(one.has_second_device for one in shown):  # the column would tell nothing
        head, *rows = (row[:_DEVICES] + row[_DEVICES + 1 :] for row in (head, *rows))
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    left = WIDTH - sum(widths) + widths[1] - 2 * (len(head) - 1)
    cells = [textwrap.wrap(_names(one.hosts, reached), max(left, _NARROWEST_HOSTS)) for one in shown]
    widths[1] = max(len(head[1]), *(len(part) for cell in cells for part in cell))
    yield _row(head, widths)
    for row, cell in zip(rows, cells):
        yield _row((row[0], cell[0], *row[2:]), widths)
        for part in cell[1:]:
            yield _row(("", part), widths)


def _row(row: tuple[str, ...], widths: list[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()


def _names(hosts: list[str], reached: list[str]) -> str:
    return "all" if len(hosts) == len(reached) > 1 else " ".join(folded(hosts))


def _lasting(hosts: list[HostStatus], reached: list[str]) -> Iterator[str]:
    """Whose lock, or exemption, lasts until when: too long for a column of the table."""
    where: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for host in hosts:
        for one in host.users:
            where[printable(until_when(one))][one["user"]].append(host.host)
    for said, users in sorted(where.items()):
        if said:
            who = "; ".join(f"{printable(user)} on {_names(found, reached)}" for user, found in sorted(users.items()))
            yield _wrapped(f"{said[0].upper()}{said[1:]}: {who}.")


def _problems(hosts: list[HostStatus], reached: list[str]) -> Iterator[str]:
    where: dict[tuple[str, str, str], dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for host in hosts:
        for one in host.users:
            for problem in one["problems"]:
                what = (problem["id"], problem.get("severity", ""), problem.get("remedy", ""))
                where[(printable(what[0]), printable(what[1]), printable(what[2]))][one["user"]].append(host.host)
    for (name, severity, remedy), users in sorted(where.items()):
        who = "; ".join(f"{printable(user)} on {_names(found, reached)}" for user, found in users.items())
        yield _wrapped(f"{severity} {name}: {who}. {remedy}")


def _syncs(hosts: list[HostStatus], reached: list[str]) -> Iterator[str]:
    when = defaultdict(list)
    for host in hosts:
        if host.why is None:
            when[minute(printable(host.last_sync or "never"))].append(host.host)
    if set(when) != {"never"}:
        for time, names in sorted(when.items()):
            yield _wrapped(f"Last sync {time}: {_names(names, reached)}")


def _wrapped(text: str) -> str:
    return textwrap.fill(text, WIDTH, subsequent_indent="    ", break_on_hyphens=False)
