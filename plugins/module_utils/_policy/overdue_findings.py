# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Finds users whom the end of the enrollment period would lock out with no way to enroll. Private.

Only what root controls (sshd's configuration, the login shell) makes a policy refused. None of it exempts anybody: a
user who can change their own shell or authorized_keys must not be able to avoid the token that way. And no restriction
is lifted for overdue users: outside its chroot, an account that may only transfer files would get a shell.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Iterable, Iterator, NamedTuple, Sequence

from ansible_collections.fleetmfa.ssh.plugins.module_utils._findings import Finding
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.selection import selected_users
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.state_dir import StateDir
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.first_factor import (
    FirstFactors,
    refused,
    text_for_operator,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.accounts import named_accounts
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.config import SshdConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.confinement import (
    Candidate,
    confined_by_keys,
    confined_for_good,
    confined_until_then,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.login import login
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.match import Connection
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.policy import PolicyReader, user_classes
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import Exemptions, human_accounts

_EXAMPLES = 5


class Enrollment(NamedTuple):
    """Who enrolls on a host, and what happens to users who do not; `users` None means every human account."""

    overdue: str = "allow"
    users: Sequence[str] | None = None
    exempt_users: Sequence[str] = ()
    exempt_groups: Sequence[str] = ()
    connecting_users: Sequence[str] = ()
    factors: str | None = None  # None: what sshd demands of the group now
    unknown_first_factor: str = "error"
    overdue_group: str = "mfa-overdue"  # mfa__overdue_group of the role


def candidates(enrollment: Enrollment, config: SshdConfig, group: str, state_dir: StateDir) -> list[Candidate]:
    """Everybody who may become overdue: has a key to validate or is about to get one. Never root or exempt users."""
    if enrollment.overdue == "allow":
        return []
    listed = enrollment.users
    users = human_accounts() if listed is None else [one.name for one in selected_users(listed)]
    exempt = Exemptions(enrollment.exempt_users, enrollment.exempt_groups)
    names = {user for user in {*users, *state_dir.users("pending")} if user not in exempt}
    names -= set(state_dir.users("keys"))
    accounts = named_accounts(config, group, names)
    return [Candidate(account, entry.pw_shell, entry.pw_dir) for account, entry in accounts if account.uid != 0]


def overdue_findings(reader: PolicyReader, enrollment: Enrollment, found: list[Candidate], group: str) -> list[Finding]:
    if enrollment.overdue == "allow":
        return []
    # A user who is already overdue is evaluated as if not in that group.
    by_account = {candidate.account.left(enrollment.overdue_group): candidate for candidate in found}
    classes = user_classes(reader.config, list(by_account), group)
    connections = reader.connections()
    findings = [*_needed(enrollment, found), *_without_first_factor(reader, enrollment, found, group)]
    for members in classes:
        for shell_works in (True, False):
            alike = [
                by_account[one]._replace(account=one)
                for one in members
                if by_account[one].has_usable_shell is shell_works
            ]
            findings += _of_class(reader, alike, connections, enrollment.overdue) if alike else []
    return findings


def _needed(enrollment: Enrollment, found: list[Candidate]) -> Iterator[Finding]:
    for candidate in found:
        if candidate.account.name in enrollment.connecting_users:
            yield Finding("sshd_overdue_needed", (f"{candidate.account.name} would be locked out at the deadline",))


def _without_first_factor(
    reader: PolicyReader, enrollment: Enrollment, found: list[Candidate], group: str
) -> Iterator[Finding]:
    """Who logs in now, by another way than an enforced user can: mfa-enroll sends them away."""
    names = [candidate.account.name for candidate in found]
    judged = FirstFactors(reader, group, enrollment.factors)
    shut_out = refused(judged.answers(names), enrollment.unknown_first_factor)
    now = judged.answers(shut_out, enforced=False)
    for user, one in shut_out.items():
        if now[user].state != "cannot":
            yield Finding("overdue_first_factor", (f"{user} {text_for_operator(one)}",))


def _of_class(
    reader: PolicyReader, alike: list[Candidate], connections: list[Connection], overdue: str
) -> Iterator[Finding]:
    """Findings about users whom sshd treats the same way."""
    logins = [login(reader, alike[0].account, connection) for connection in connections]
    logins = [one for one in logins if one.ways_in]
    lasting = {one.connection: tuple(confined_for_good(reader.config, one, alike[0])) for one in logins}
    if overdue == "enroll_only" and logins and all(lasting.values()):
        yield Finding("sshd_overdue_cannot_enroll", tuple(_evidence(alike, lasting)))
        return
    until_then = {one.connection: tuple(confined_until_then(reader.config, one)) for one in logins}
    both = {connection: lasting[connection] + until_then[connection] for connection in lasting}
    if any(both.values()):
        yield Finding("sshd_overdue_not_offered", tuple(_evidence(alike, both)))
        return
    for candidate in alike if logins else []:
        for reason in confined_by_keys(logins[0], candidate):
            yield Finding("sshd_overdue_not_offered", (f"{candidate.account.name}: {reason}",))


def _evidence(alike: list[Candidate], reasons: dict[Connection, tuple[str, ...]]) -> Iterator[str]:
    """Each reason once, with the connections it applies to unless it applies to all of them."""
    where: dict[str, list[Connection]] = defaultdict(list)
    for connection, texts in reasons.items():
        for text in texts:
            where[text].append(connection)
    for text, connections in where.items():
        only = "" if len(connections) == len(reasons) else f" {_joined(map(str, connections))}"
        yield f"{_names(alike)}{only}: {text}"


def _names(alike: list[Candidate]) -> str:
    return _joined(candidate.account.name for candidate in alike)


def _joined(texts: Iterable[str]) -> str:
    told = list(texts)
    more = len(told) - _EXAMPLES
    return ", ".join(told[:_EXAMPLES]) + (f" and {more} more" if more > 0 else "")
