# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Who must stay exempt when an exemption ends, since being asked for a token would lock them, or everybody, out. Private.

A host ends exemptions by itself, at midnight, when no controller can log in to confirm anything. So what a run would be refused
for is checked before, and whoever does not pass is left as is, and named.
"""

from __future__ import annotations

from typing import Collection

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.options import MfaHost
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.config import PamConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.first_factor import (
    judge,
    refused,
    text_for_operator,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.lock_out import refuse_nobody_left
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.managing_connection import roots_shut_out
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.accounts import login_accounts
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.binary import Sshd
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.config import SSHD_CONFIG, SshdConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.match import Account
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import (
    SharedUids,
    is_named,
    is_root,
    shared_uid_text,
)


def must_stay_exempt(
    users: Collection[str], host: MfaHost, connecting: Collection[str], unknown: str
) -> dict[str, str]:
    """Those of the users, who have validated keys, and why. `connecting`: accounts that Ansible connects with and whose
    connections answer no prompt; `unknown`: option unknown_first_factor."""
    told = {user: _why(user, host, connecting) for user in users}
    staying = {user: why for user, why in told.items() if why}
    staying.update(_by_sshd([user for user in users if user not in staying], host, unknown))
    # Another name of the same user, who stays, would be a way around the token.
    joining = set(users) - set(staying)
    uids, asked = SharedUids(), host.group.members | joining
    for user in sorted(joining):
        others = [name for name in uids.other_names(user) if name not in asked and name not in host.exempt]
        if others and not is_root(user):
            staying[user] = shared_uid_text(others)
    return staying


def _why(user: str, host: MfaHost, connecting: Collection[str]) -> str | None:
    denied = host.state_dir.why_denied(user)
    if denied:
        return f"the validated key lets nobody in: {denied}"
    if is_named(user, connecting):
        return "Ansible connects as this account, with a connection that answers no token prompt (fleetmfa.ssh.ssh_totp does)"
    return None


def _by_sshd(users: Collection[str], host: MfaHost, unknown: str) -> dict[str, str]:
    """If sshd cannot be asked, nobody can be told to be able to log in."""
    if not users:
        return {}
    try:
        why_root = "sshd lets root answer a token prompt only with PermitRootLogin yes"
        staying = dict.fromkeys(roots_shut_out(users), why_root)
        shut_out = refused(judge(set(users) - set(staying), host.group.name), unknown)
        staying.update((user, text_for_operator(one)) for user, one in shut_out.items())
        joining = set(users) - set(staying)
        if joining:
            _refuse_nobody_left(joining, host)
    except FleetMfaError as error:
        return dict.fromkeys(users, str(error))
    return staying


def _refuse_nobody_left(joining: Collection[str], host: MfaHost) -> None:
    def accounts(config: SshdConfig, group: str) -> list[Account]:
        return [one.joined(group) if one.name in joining else one for one in login_accounts(config, group)]

    refuse_nobody_left([], Sshd(), SSHD_CONFIG, host.state_dir, host.group.name, PamConfig(), accounts)
