# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What many rows come to, on one screen. Private to the collection."""

from __future__ import annotations

from typing import Sequence

from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._login_probe.row import RESULTS, ProbeRow

EXPLAINED = 5
NAMED = 20
_LONGEST_REASON = 160


def counts_of(rows: Sequence[ProbeRow]) -> dict[str, int]:
    return {result: sum(row.result == result for row in rows) for result in RESULTS}


def summary(rows: Sequence[ProbeRow]) -> str:
    counts = ", ".join(f"{count} {result}" for result, count in counts_of(rows).items() if count)
    differ = differing(rows)
    if not differ:
        return f"{_probes(len(rows))} as expected: {counts}"
    explained = "; ".join(map(_difference, differ[:EXPLAINED]))
    named = "".join(f"; {row.host}, {row.user}" for row in differ[EXPLAINED:NAMED])
    more = f"; and {len(differ) - NAMED} more" if len(differ) > NAMED else ""
    return f"{len(differ)} of {_probes(len(rows))} not as expected ({counts}): {explained}{named}{more}"


def differing(rows: Sequence[ProbeRow]) -> list[ProbeRow]:
    return [row for row in rows if not row.ok]


def _probes(count: int) -> str:
    return f"{count} probe{'s' if count != 1 else ''}"


def _difference(row: ProbeRow) -> str:
    reason = row.reason if len(row.reason) <= _LONGEST_REASON else f"{row.reason[:_LONGEST_REASON]}..."
    told = f" ({reason})" if reason else ""
    return f"{row.host}, {row.user}: expected {row.expected}, was {row.result}{told}"
