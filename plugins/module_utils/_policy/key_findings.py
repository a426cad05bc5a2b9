# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Findings about key files: whether they let enforced users log in and reveal nothing. Never shows a line of a file.
Private."""

from __future__ import annotations

import contextlib
from typing import Collection, Container, Iterator, NamedTuple

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.agreement import Facts, disagreements
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.origin import is_of_unknown_origin
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.owners import Owners
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.state_dir import StateDir
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.findings import Finding
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import (
    EnforcedGroup,
    Exemptions,
    SharedUids,
    account_exists,
    misspelled,
)


class Enforcement(NamedTuple):
    """Who is enforced on a host, and who is exempt.

    `accounts` are those that sshd lets in; they are included because the group may be somebody's primary group.
    """

    group: EnforcedGroup
    accounts: Collection[str]
    exempt: Exemptions
    assumed: Container[str] = ()


def key_findings(state_dir: StateDir, enforcement: Enforcement) -> Iterator[Finding]:
    try:
        state_dir.check()
    except FleetMfaError as error:
        yield Finding("key_folder_open", (str(error),))
    else:
        for user in state_dir.users():
            yield from _findings_of_pending(state_dir, user)
        users = {*state_dir.users(), *enforcement.group.members, *enforcement.accounts}
        for user in sorted(users.difference(misspelled(users))):
            yield from _disagreements(state_dir, user, enforcement)
    uids = SharedUids()
    for user in sorted(enforcement.accounts):
        yield from _findings_of(state_dir, user)
        for name in uids.other_names(user):
            if name not in enforcement.accounts and name not in enforcement.exempt:
                yield Finding("uid_shared", (f"{name} has the same user id as {user}, who is enforced",))


def _disagreements(state_dir: StateDir, user: str, enforcement: Enforcement) -> Iterator[Finding]:
    """An unreadable key file counts as present; what is wrong with it is a separate finding."""
    if user in enforcement.assumed:
        return
    facts = Facts(
        pending=state_dir.has("pending", user),
        validated=state_dir.has("keys", user),
        member=user in enforcement.accounts or user in enforcement.group.members,
        exempt=user in enforcement.exempt,
        account=user in enforcement.accounts or account_exists(user),
        was_asked=state_dir.was_asked(user),
    )
    for found in disagreements(facts, enforcement.group.name):
        yield Finding(found.id, (f"{user}: {found.text}",))


def _findings_of(state_dir: StateDir, user: str) -> Iterator[Finding]:
    path = f"{state_dir.path}/keys/{user}"
    try:
        key = state_dir.validated(user)
    except FleetMfaError as error:
        yield Finding("key_unreadable", (f"{user}: {error}",))
        return
    if key is None:
        return
    access = state_dir.access_problem("keys", user)
    if access:
        yield Finding("key_unreadable", (f"{user}: {path}: {access}",))
    for problem in key.problems:
        finding = "key_dead" if problem.kind == "denied" else "key_malformed"
        yield Finding(finding, (f"{user}: {path}: {problem}",))


def _findings_of_pending(state_dir: StateDir, user: str) -> Iterator[Finding]:
    pending = None
    with contextlib.suppress(FleetMfaError):  # if we cannot read it, the enrollment door cannot either
        pending = state_dir.pending(user)
    if pending is not None and is_of_unknown_origin(pending):
        yield Finding("key_origin_unknown", (f"{user}: {state_dir.path}/pending/{user}",))


def spelling_findings(state_dir: StateDir, group: EnforcedGroup) -> Iterator[Finding]:
    for name, account in group.misspelled().items():
        yield Finding("account_misspelled", (f"{group.name} has {name}, which is account {account}",))
    for one in Owners(state_dir).misplaced:
        yield Finding(
            "account_misspelled", (f"{state_dir.path}/{one.folder}/{one.name} belongs to account {one.account}",)
        )
