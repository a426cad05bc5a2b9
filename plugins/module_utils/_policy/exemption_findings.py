# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What is to be said of exemptions: without a reason, about to end, ended, and not ended though the day is over. Private."""

from __future__ import annotations

import datetime
from typing import Iterable, Iterator, Mapping

from ansible_collections.fleetmfa.ssh.plugins.module_utils._findings import Finding
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.exemptions import Exemption, whose_ended

# Days before its end from which on each run says so.
SOON_DAYS = 14


def end_findings(entries: Iterable[Exemption], kept: Mapping[str, str], today: datetime.date) -> Iterator[Finding]:
    """`kept`: users who stay exempt although their exemption has ended, and why."""
    entries = list(entries)
    for one in entries:
        if one.until is None:
            continue
        if one.has_ended(today):
            yield Finding("exemption_expired", (f"{_who(one)}: ended after {one.until}{_approver(one)}",))
        elif (one.until - today).days <= SOON_DAYS:
            yield Finding("exemption_ends_soon", (f"{_who(one)}: ends after {one.until}{_approver(one)}",))
    whose = whose_ended(entries, today)
    for user, why in kept.items():
        if user in whose:
            yield Finding("exemption_not_ended", (f"{user} stays exempt: {why}",))


def reason_findings(entries: Iterable[Exemption]) -> Iterator[Finding]:
    """Of those without a reason or an approver."""
    for one in entries:
        lacking = [word for word, text in (("reason", one.reason), ("approver", one.approved_by)) if text is None]
        if lacking:
            yield Finding("exemption_without_reason", (f"{_who(one)}: no {' and no '.join(lacking)}",))


def _who(one: Exemption) -> str:
    return f"{one.kind} {one.name}"


def _approver(one: Exemption) -> str:
    return f", approved by {one.approved_by}" if one.approved_by else ", nobody named as approver"
