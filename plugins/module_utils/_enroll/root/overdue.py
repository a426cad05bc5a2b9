# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Who is overdue, and the group that sshd knows them by. Private to the collection."""

from __future__ import annotations

import datetime

from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.root.audit import audit
from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.root.period import Period
from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.root.policy import Policy
from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.key_file import KeyFile
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.state_dir import StateDir
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import (
    EnforcedGroup,
    account_exists,
    is_root,
)


def is_overdue(policy: Policy, state: StateDir, user: str, today: datetime.date) -> bool:
    """Whether the user had a key to validate, the period has passed, and something follows from that. A user without a key
    cannot be overdue."""
    if policy.enrollment_overdue == "allow":
        return False
    period = period_to_enroll(policy, user, state.pending(user), state.validated(user))
    return bool(period and period.is_over(today))


def period_to_enroll(policy: Policy, user: str, pending: KeyFile | None, validated: KeyFile | None) -> Period | None:
    """The period of a user who has to validate a key; None for everybody else."""
    if pending is None or validated is not None or is_root(user) or user in policy.left_alone:
        return None
    return policy.period_of_key(user, pending)


def settle_all(policy: Policy, today: datetime.date) -> bool:
    """Update the group for the current day. Returns whether anything changed."""
    state, group = StateDir(policy.state_dir), EnforcedGroup(policy.overdue_group)
    with state.lock():
        members = group.members
        overdue = {user for user in state.users() if _is_overdue_or_as_before(policy, state, user, today, members)}
        joining, leaving = overdue - members, members - overdue
        changed = group.update(join=joining, leave=leaving)
    for user in sorted(joining):
        audit(user, f"enrollment is overdue; from now on: {policy.enrollment_overdue}")
    for user in sorted(leaving):
        audit(user, "enrollment is no longer overdue")
    return changed


def _is_overdue_or_as_before(
    policy: Policy, state: StateDir, user: str, today: datetime.date, members: set[str]
) -> bool:
    """One user's unreadable key file must not prevent the deadline for the others."""
    if not account_exists(user):
        return user in members
    try:
        return is_overdue(policy, state, user, today)
    except FleetMfaError as error:
        audit(user, f"left unchanged, since the key cannot be read: {error}")
        return user in members


def settle_overdue(policy: Policy, user: str, overdue: bool) -> None:
    """The same for one user. If the group cannot be changed, this is logged and the request continues."""
    group = EnforcedGroup(policy.overdue_group)
    try:
        if not overdue:
            group.update(leave=[user])
        elif group.exists:
            group.update(join=[user])
    except FleetMfaError as error:
        audit(user, f"group {group.name} could not be changed: {error}")
