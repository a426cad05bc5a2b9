# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Reminds users before their enrollment period ends, where users are told (docs/notices.md). Private to the collection."""

from __future__ import annotations

import datetime
import json
import os
from typing import Dict, Tuple

from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.root.audit import audit
from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.root.overdue import period_to_enroll
from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.root.period import Period
from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.root.policy import Policy
from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.state_dir import StateDir
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.files import FileChange, read_file

# When this many days are left. A user is told of the nearest one that was missed, since a host may have been off.
STEPS = (14, 7, 1)
_FILE = "reminded"
# The deadline that each user was last reminded of, and at which step.
_Reminded = Dict[str, Tuple[str, int]]


def remind(policy: Policy, today: datetime.date) -> list[str]:
    """Returns who was reminded. It is written down first, so nobody is reminded twice of the same."""
    state = StateDir(policy.state_dir)
    state.notices.by = "host"
    if not state.notices.are_on:
        return []
    path = os.path.join(policy.state_dir, _FILE)
    with state.lock():
        periods = _open_periods(policy, state, today)
        before = _read(path)
        now = {user: _reminder(period, today, before.get(user)) for user, period in periods.items()}
        known: _Reminded = {user: one for user, one in now.items() if one is not None}
        due = sorted(user for user, one in known.items() if one != before.get(user))
        if known != before:
            FileChange(path, json.dumps(known, indent=1, sort_keys=True).encode() if known else None, 0o600).apply()
        for user in due:
            _tell(state, user, periods[user].days_left(today), known[user][0], policy.enrollment_overdue)
    return due


def _tell(state: StateDir, user: str, days_left: int, deadline: str, overdue: str) -> None:
    state.notices.tell(user, "deadline_near", deadline=deadline, days_left=days_left, overdue=overdue)


def _open_periods(policy: Policy, state: StateDir, today: datetime.date) -> dict[str, Period]:
    """Of the users who have to validate a key and still can."""
    found = {}
    for user in state.users("pending"):
        try:
            period = period_to_enroll(policy, user, state.pending(user), state.validated(user))
        except FleetMfaError as error:
            audit(user, f"not reminded, since the key cannot be read: {error}")
            continue
        if period is not None and period.is_open(today):
            found[user] = period
    return found


def _reminder(period: Period, today: datetime.date, before: tuple[str, int] | None) -> tuple[str, int] | None:
    """What the user is reminded of by today. No step that is as long as the whole period: the user has just got the key."""
    deadline, days = period.deadline.isoformat(), (period.deadline - period.start).days
    steps = [step for step in STEPS if period.days_left(today) <= step < days]
    if before is not None and before[0] == deadline:
        steps.append(before[1])
    return (deadline, min(steps)) if steps else None


def _read(path: str) -> _Reminded:
    """A file that cannot be read is nothing to stop for: users are reminded once more."""
    try:
        found = json.loads(read_file(path) or b"{}")
        return {user: (str(deadline), int(step)) for user, (deadline, step) in found.items()}
    except (FleetMfaError, ValueError, TypeError, AttributeError):
        return {}
