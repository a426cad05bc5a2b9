# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The table of logins, as text."""

from __future__ import annotations

from demo.tour import Row

HEAD = ("host", "account", "how", "asked?", "result", "")


def print_table(rows: list[Row]) -> None:
    cells = [HEAD, *(_cells(row) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(HEAD))]
    print()
    for row in cells:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
        if row is HEAD:
            print("  ".join("-" * width for width in widths).rstrip())
    print()


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.host,
        row.account,
        row.how,
        f"yes: {row.login.prompts[0].strip()}" if row.login.asked else "no",
        "in" if row.login.allowed else "denied",
        "" if row.as_expected else "WRONG RESULT",
    )
