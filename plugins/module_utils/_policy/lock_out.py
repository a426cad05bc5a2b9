# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Refuses a roll-out after which nobody could log in. Private to the collection."""

from __future__ import annotations

from typing import Callable

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.options import MfaHost
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.state_dir import StateDir
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.config import PamConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.first_factor import (
    first_factors,
    refuse,
    refused,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.pam_service import PamServices
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.accounts import login_accounts
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.binary import Sshd
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.config import SshdConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.key_sources import is_worse
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.login import login
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.match import Account
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.policy import PolicyReader, user_classes
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.verdict import LOCKED_OUT, verdict
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.files import FileChange

Accounts = Callable[[SshdConfig, str], "list[Account]"]


def refuse_nobody_left(
    changes: list[FileChange],
    sshd: Sshd,
    main: str,
    state_dir: StateDir,
    group: str,
    pam: PamConfig,
    accounts: Accounts = login_accounts,
) -> None:
    """Requires an account that can log in: one that is not asked for a token, or one that is asked and has a usable
    key.

    `main` is the main configuration file of sshd, `pam` is PAM as it will be.
    """
    services = PamServices(pam, group=group)
    config = SshdConfig(main, {change.path: change.after for change in changes}, sshd.version)
    with PolicyReader(sshd, config) as reader:
        connections = reader.connections()
        for members in user_classes(config, accounts(config, group), group):
            logins = [login(reader, members[0], connection) for connection in connections]
            if all(verdict(one, False, services).said == LOCKED_OUT for one in logins):
                continue
            if group not in members[0].groups or any(_has_sound_key(state_dir, account) for account in members):
                return
    raise FleetMfaError(
        "nobody could log in to this host after the roll-out: every account that sshd lets in is a member of "
        f"{group} without a usable validated key; exempt one account (exempt_users), or validate a key first"
    )


def refuse_first_factor_lost(
    changes: list[FileChange], sshd: Sshd, main: str, host: MfaHost, pam: PamConfig, unknown: str
) -> None:
    """No enforced user may be left without a first factor by a change of what it is. Who has none now is only a finding.

    `pam` is PAM as it will be, `unknown` option unknown_first_factor.
    """
    users = {user for user in host.group.members | host.state_dir.records.users() if not host.spares(user, True)}
    if not users:
        return
    overlay = {change.path: change.after for change in changes}
    with first_factors(host.group.name, SshdConfig(main, overlay, sshd.version), sshd, pam) as judged:
        after = judged.answers(users)
    shut_out = refused(after, unknown)
    if not shut_out:
        return
    with first_factors(host.group.name, SshdConfig(main, version=sshd.version), sshd) as judged:
        before = judged.answers(shut_out)
    refuse({user: one for user, one in shut_out.items() if is_worse(one, before[user])})


def _has_sound_key(state_dir: StateDir, account: Account) -> bool:
    key = state_dir.validated(account.name)
    return key is not None and not key.problems and state_dir.access_problem("keys", account.name) is None
