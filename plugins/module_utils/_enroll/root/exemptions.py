# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Ends exemptions at midnight, on the host alone. Private to the collection.

Who has no validated key is not asked for a token afterwards either, and enrolls like everybody. Who has one joins the enforced
group, unless that would lock somebody out: then the user stays exempt, which is logged and recorded for every run and audit.
"""

from __future__ import annotations

import datetime
import json

from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.root.audit import audit
from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.root.policy import Policy
from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.options import MfaHost
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.state_dir import StateDir
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.exemption_end import must_stay_exempt
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import (
    EnforcedGroup,
    Exemptions,
    account_name,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.exemptions import (
    exempt_today,
    kept_exempt,
    kept_path,
    whose_ended,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.files import FileChange


def end_exemptions(policy: Policy, today: datetime.date) -> list[str]:
    """Returns who is asked for a token from now on."""
    state = StateDir(policy.state_dir)
    state.notices.by = "host"
    if not any(one.has_ended(today) for one in policy.exemptions) and not kept_exempt(policy.state_dir):
        return []
    host = MfaHost(state, EnforcedGroup(policy.group), Exemptions(*exempt_today(policy.exemptions, (), today)))
    with state.lock():
        users = _users_who_ended(policy, host, today)
        staying = must_stay_exempt(users, host, policy.connecting_users, policy.unknown_first_factor)
        joining = [user for user in users if user not in staying]
        staying.update(_enforce(joining, host))
        before = kept_exempt(policy.state_dir)
        content = json.dumps(staying, indent=1, sort_keys=True).encode() if staying else None
        FileChange(kept_path(policy.state_dir), content, 0o600).apply()
    for user, why in staying.items():
        if user not in before:
            audit(user, f"STAYS EXEMPT though the exemption has ended: {why}")
    joined = [user for user in joining if user not in staying]
    for user in joined:
        audit(user, f"the exemption has ended; joined {policy.group} and will be asked for a token at the next login")
    return joined


def _users_who_ended(policy: Policy, host: MfaHost, today: datetime.date) -> list[str]:
    """Those with a validated key who are not asked yet. A key that cannot be read counts as one."""
    ended, members = whose_ended(policy.exemptions, today), host.group.members
    return [
        user
        for user in host.state_dir.users("keys")
        if account_name(user) == user and user in ended and user not in host.exempt and user not in members
    ]


def _enforce(users: list[str], host: MfaHost) -> dict[str, str]:
    """Who could not be made a member, and why: what was done of it is taken back."""
    if not users:
        return {}
    try:
        host.state_dir.prepare()
        host.state_dir.flush()
        host.enforce(join=users)
    except FleetMfaError as error:
        host.enforce(leave=users)
        return dict.fromkeys(users, str(error))
    return {}
