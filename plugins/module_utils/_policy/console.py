# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Refuses to ask everybody for a token who can log in at the console, the last way into a host. Private to the collection."""

from __future__ import annotations

import grp
from typing import Collection

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.config import PamConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.door_services import CONSOLE
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.prover import prove
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.subject import Subject
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.account_lookup import account_of
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import (
    Exemptions,
    group_ids,
    has_login_shell,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.passwords import password_state


def refuse_no_console(pam: PamConfig, group: str, exempt: Exemptions, joining: Collection[str] = ()) -> None:
    """Requires root or an exempt account that can log in at the console with a password alone.

    `pam` is PAM as it will be, `joining` are users who are to become members of `group`.
    """
    reasons = []
    for user in dict.fromkeys(("root", *exempt.listed())):
        reason = _why_not(user, pam, group, joining)
        if not reason:
            return
        reasons.append(f"{user} {reason}")
    raise FleetMfaError(
        f"PAM service {CONSOLE} would ask for a token, and nobody could log in at the console without one: "
        f"{'; '.join(reasons)}. Give root or an exempt account a password (exempt_users), or leave {CONSOLE} out "
        "(mfa_services)"
    )


def _why_not(user: str, pam: PamConfig, group: str, joining: Collection[str]) -> str:
    account = account_of(user)
    if account is None:
        return "is no account of this host"
    if user in joining or _group_id(group) in group_ids(account):
        return f"is a member of {group}"
    if not has_login_shell(account):
        return "has no login shell"
    if password_state(account) != "set":
        return "has no password"
    return (
        ""
        if prove(pam, CONSOLE, Subject.from_host(user, None, None)).can_succeed
        else f"is denied by PAM service {CONSOLE}"
    )


def _group_id(name: str) -> int | None:
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        return None
