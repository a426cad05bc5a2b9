# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Findings about a host that come of the evidence about it: doors, clock, log, drift, what is not judged. Private."""

from __future__ import annotations

from collections import Counter
from typing import Iterable, Iterator, Sequence

from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit.clock import ClockReport
from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit.doors import JudgedDoor
from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit.drift import DriftRow
from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit.log_events import REFUSED, REUSED, LogReport
from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit.log_lines import NONE
from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit.managed_pam import ManagedPam
from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit.pam_doors import NOT_COVERED, NOT_JUDGED
from ansible_collections.fleetmfa.ssh.plugins.module_utils._findings import Finding

# Refused logins of one account in the days that are read: more than somebody mistypes.
_MANY_REFUSED = 50
# PCI DSS 4.0.1, 8.3.4.
_MOST_WRONG, _LEAST_SECONDS = 10, 1800


def door_findings(doors: Iterable[JudgedDoor]) -> Iterator[Finding]:
    for door in doors:
        report = door.report
        where = f" ({', '.join(report['where'])})" if report["where"] else ""
        told = (f"{report['name']}{where}: {report['reason']}",)
        if report["state"] == NOT_COVERED:
            yield Finding("door_local_not_covered" if door.is_local else "door_not_covered", told)
        elif report["state"] == NOT_JUDGED:
            yield Finding("door_not_judged", told)


def clock_findings(clock: ClockReport) -> Iterator[Finding]:
    """A container has the clock of its machine, whose time service it does not see."""
    if clock["synchronized"] is False:
        service = clock["service"] or "no time service is running"
        yield Finding("clock_not_synchronized", (f"the kernel says that the clock is not synchronized ({service})",))
    if not clock["service"] and not clock["synchronized"]:
        yield Finding("time_service_missing", ("neither systemd-timesyncd nor chrony nor an NTP daemon is running",))


def log_findings(report: LogReport, problem: str) -> Iterator[Finding]:
    days = f"in the last {report['days']} days"
    if report["source"] == NONE:
        yield Finding("log_not_read", (problem or "neither a journal nor a log file of logins is on this host",))
    refused: Counter[str] = Counter()
    for row in report["events"]:
        if row["event"] == REUSED:
            where = f" from {row['address']}" if row["address"] else ""
            yield Finding(
                "log_token_reused", (f"{row['user'] or 'unknown'}{where}: {row['count']} times, last {row['last']}",)
            )
        if row["event"] == REFUSED and row["user"]:
            refused[row["user"]] += row["count"]
    for user, count in refused.most_common():
        if count >= _MANY_REFUSED:
            yield Finding("log_many_refused", (f"{user}: {count} logins refused {days}",))


def policy_findings(pam: ManagedPam) -> Iterator[Finding]:
    """Parts of the policy that may be turned off, and are."""
    for path in pam.token_files:
        if not pam.has_guard:
            yield Finding("guard_missing", (f"{path}: the token lines run without totp-guard",))
    yield from _lock_findings(pam)
    for one in pam.files:
        for seconds, groups in one.remembers:
            who = f"members of {groups.replace(':', ', ')}" if groups else "all enforced users"
            yield Finding(
                "token_remembered", (f"{one.path}: {who} are not asked again for {seconds} seconds after a token",)
            )
    if pam.token_files and not pam.has_account_check:
        yield Finding("account_check_missing", ("no PAM service has the account check",))


def _lock_findings(pam: ManagedPam) -> Iterator[Finding]:
    for one in pam.files:
        if not one.lock_works:
            continue
        if one.lock is None:
            why = "no line counts wrong tokens"
            yield Finding("lockout_missing", (f"{one.path}: wrong tokens lock nobody, since {why}",))
            yield Finding("failure_cap_missing", (f"{one.path}: {why}, so no key is ever suspended",))
        elif not one.lock.after:
            yield Finding("lockout_missing", (f"{one.path}: wrong tokens lock nobody, since mfa_lock_after is 0",))
        elif one.lock.after > _MOST_WRONG or 0 < one.lock.seconds < _LEAST_SECONDS:
            duration = f"for {one.lock.seconds} seconds" if one.lock.seconds else "until the user is unlocked"
            yield Finding(
                "lockout_weak", (f"{one.path}: {one.lock.after} wrong tokens in a row lock a user {duration}",)
            )


def drift_findings(rows: Iterable[DriftRow]) -> Iterator[Finding]:
    for row in rows:
        yield Finding("state_drift", (f"{row['path']}: {row['problem']}",))


def not_judged_findings(sudoers: Sequence[str], problems: Sequence[str]) -> Iterator[Finding]:
    for text in sudoers:
        yield Finding("sudoers_not_judged", (text,))
    for text in problems:
        yield Finding("audit_incomplete", (text,))
