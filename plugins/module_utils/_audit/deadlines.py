# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""By when each user of this host has to enroll, for those who read the host. Private to the collection."""

from __future__ import annotations

import datetime
import os
from typing import Callable

from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.root.overdue import period_to_enroll
from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.root.policy import POLICY_PATH, read_policy
from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.entry import Keys
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.report import EnrollmentOf, UserEnrollment


def deadlines_of_host(warn: Callable[[str], object]) -> EnrollmentOf:
    """By the policy of this host; a broken one is no reason to report nothing."""
    try:
        policy = read_policy() if os.path.exists(POLICY_PATH) else None
    except FleetMfaError as error:
        warn(f"enrollment deadlines are not reported: {error}")
        policy = None
    today = datetime.date.today()

    def enrollment_of(user: str, keys: Keys) -> UserEnrollment | None:
        period = period_to_enroll(policy, user, *keys) if policy and policy.offered else None
        return UserEnrollment(period.deadline, period.is_over(today)) if period else None

    return enrollment_of
