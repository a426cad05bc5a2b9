# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Determines which account this run is connected as, and so who must not be asked for a token. Private.

No other code decides this. The account is what the host itself answered (`id -u` over the connection, without become),
never a variable: inventories, ssh_config, -o User= and $USER disagree. Every module that changes who is asked for a
token checks with this first.
"""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
from typing import Iterable, NamedTuple

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.options import MfaHost
from ansible_collections.fleetmfa.ssh.plugins.module_utils._rollback.record import NOBODY, Caller
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.binary import Sshd
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.match import Connection
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import is_root

_SSHD_CONFIG = "/etc/ssh/sshd_config"
_WAYS_OUT = (
    "add the account to mfa_exempt_users (option exempt_users), or connect with fleetmfa.ssh.ssh_totp, which answers "
    "the token prompt"
)


class ManagingConnection(NamedTuple):
    """How the controller reaches this host; all fields are empty if it does not log in (local, docker, chroot)."""

    uid: int | None = None
    answers_token: bool = False
    logs_in: bool = False
    controller: str = ""
    address: str = ""  # of the controller, as the host sees it: of a NAT or a jump host, if there is one

    @property
    def accounts(self) -> list[str]:
        """Every name of the account. Two names may share one uid, and the uid does not tell which of them sshd let
        in."""
        if self.uid is None:
            return []
        names = {entry.pw_name for entry in pwd.getpwall() if entry.pw_uid == self.uid}
        with contextlib.suppress(KeyError):  # a directory service may not list its accounts
            names.add(pwd.getpwuid(self.uid).pw_name)
        return sorted(names)

    @property
    def cannot_answer(self) -> list[str]:
        """The accounts of this connection that a token prompt would lock out."""
        return [] if self.answers_token else self.accounts

    def caller(self, timeout: int) -> Caller:
        """Who confirms a roll-out, and how long that may take: the new login may use half of the time."""
        return Caller(self.controller, timeout // 2 if self.logs_in else 0) if self.controller else NOBODY


def refuse_to_ask(users: Iterable[str], connection: ManagingConnection, group: str) -> None:
    """Refuse a change after which these users are asked for a token, if one of them could not answer."""
    asked = set(users)
    own = sorted(asked.intersection(connection.cannot_answer))
    if own:
        raise FleetMfaError(
            f"{' and '.join(own)}, which this run connects with, has a validated key and would become a member of "
            f"{group}: its next login would be asked for a token that nothing can answer. Nothing was changed; "
            f"{_WAYS_OUT}"
        )
    roots = " and ".join(roots_shut_out(asked))
    if roots:
        raise FleetMfaError(
            f"{roots} has a validated key and would become a member of {group}, but sshd lets an account with user id 0 "
            f"answer a token prompt only with PermitRootLogin yes: {roots} would be locked out. Nothing was changed; add "
            f"{roots} to mfa_exempt_users (option exempt_users), or set PermitRootLogin yes"
        )


def roots_shut_out(users: Iterable[str]) -> list[str]:
    """Those of the users whom sshd takes for root and does not let answer a token prompt."""
    return sorted(user for user in users if is_root(user) and not _may_answer(user))


def refuse_enforced_connection(connection: ManagingConnection, host: MfaHost) -> None:
    """Refuse to change PAM and sshd if they would then ask the account of this connection for a token."""
    group = host.group.name
    for account in connection.cannot_answer:
        if _is_member(account, group):
            raise FleetMfaError(
                f"{account}, which this run connects with, is a member of {group} and would be asked for a token at "
                "its next "
                f"login. Nothing was changed; remove it from {group} and {_WAYS_OUT}"
            )
    validated = [name for name in connection.cannot_answer if host.state_dir.validated(name) is not None]
    refuse_to_ask([name for name in validated if name not in host.exempt], connection, group)


def _is_member(account: str, group: str) -> bool:
    """As sshd and pam_succeed_if see it: a primary group and groups of a directory service count too."""
    try:
        return grp.getgrnam(group).gr_gid in os.getgrouplist(account, pwd.getpwnam(account).pw_gid)
    except KeyError:
        return False


def _may_answer(root: str) -> bool:
    """With any other value sshd passes junk to PAM instead of what an account with user id 0 answers."""
    return Sshd().effective(_SSHD_CONFIG, root, Connection()).get("permitrootlogin") == ["yes"]
