# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What the enrollment policy of this host means for those who read the host. Private to the collection."""

from __future__ import annotations

import datetime
import os
from typing import Callable, Iterable, TypedDict

from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.root.policy import (
    POLICY_PATH,
    exemptions_by,
    options_by,
    read_policy,
    with_host_policy,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.options import GivenHostOptions, HostOptions
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.overdue_findings import Enrollment
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.exemptions import Exemption, ExemptionItems
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.utc import utc_text


def enrollment_of_host() -> Enrollment:
    """What this host's enrollment policy says, if it has one."""
    if not os.path.exists(POLICY_PATH):
        return Enrollment()
    policy = read_policy()
    return Enrollment(
        overdue=policy.enrollment_overdue,
        users=policy.users,
        exempt_users=policy.users_left_alone,
        exempt_groups=policy.exempt_groups,
        overdue_group=policy.overdue_group,
        unknown_first_factor=policy.unknown_first_factor,
    )


class EnrollmentReport(TypedDict):
    """`start`: the first day for the whole host, None if each user's own counts; `days`: how many each user has."""

    start: str | None
    days: int
    overdue: str


class MfaReport(TypedDict):
    """`managed`: whether there is anything of this collection's policy on the host."""

    managed: bool
    group: str
    state_dir: str
    enrollment: EnrollmentReport | None


def options_of_host(given: GivenHostOptions, warn: Callable[[str], object]) -> HostOptions:
    """Like with_host_policy(), but a broken policy is no reason to report nothing: it is as if there were none."""
    try:
        return with_host_policy(given)
    except FleetMfaError as error:
        warn(f"the enrollment policy of this host was not read, so exemptions are not known: {error}")
        return options_by(given, None)


class ExemptionRow(ExemptionItems):
    """`kind`: user or group; `until`: the last day, `ended`: whether that is over; `kept`: who stays exempt nevertheless."""

    kind: str
    ended: bool
    kept: list[str]


def exemptions_of_host(given: GivenHostOptions) -> list[Exemption]:
    """All entries, whether they have ended or not; a broken policy, which is told elsewhere, has none."""
    try:
        policy = read_policy() if os.path.exists(POLICY_PATH) else None
    except FleetMfaError:
        policy = None
    return exemptions_by(given, policy.exemptions if policy else ())


def exemption_rows(entries: Iterable[Exemption], kept: Iterable[str], today: datetime.date) -> list[ExemptionRow]:
    return [
        {
            **one.items,
            "kind": one.kind,
            "ended": one.has_ended(today),
            "kept": [user for user in kept if one.has_ended(today) and user in one.whom],
        }
        for one in entries
    ]


def mfa_report(options: HostOptions, has_lines: bool, has_members: bool) -> MfaReport:
    """`has_lines`: whether sshd or PAM has lines of this collection; `has_members`: whether anybody is in the enforced group."""
    try:
        policy = read_policy() if os.path.exists(POLICY_PATH) else None
    except FleetMfaError:
        policy = None
    enrollment: EnrollmentReport | None = None
    if policy is not None and policy.offered:
        start = policy.enrollment_start
        enrollment = {
            "start": midnight(start) if start else None,
            "days": policy.enrollment_days,
            "overdue": policy.enrollment_overdue,
        }
    return {
        "managed": has_lines or has_members or any(map(os.path.lexists, (POLICY_PATH, options["state_dir"]))),
        "group": options["group"],
        "state_dir": options["state_dir"],
        "enrollment": enrollment,
    }


def midnight(day: datetime.date) -> str:
    """The beginning of a calendar day of the host, in UTC, ISO 8601."""
    return utc_text(datetime.datetime.combine(day, datetime.time()).timestamp())
