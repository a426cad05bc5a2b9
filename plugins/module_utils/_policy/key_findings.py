# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Findings about key files: whether they let enforced users log in and reveal nothing. Never shows a line of a file.
Private."""

from __future__ import annotations

import time
from typing import Collection, Container, Iterator, NamedTuple

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._findings import Finding
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.agreement import UserFacts, disagreements
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.problems import guard_findings, read_key
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.state_dir import StateDir
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
            yield from read_key(state_dir, "pending", user)[1]
            yield from guard_findings(state_dir, user, time.time())
        members = {*enforcement.group.members, *enforcement.accounts}
        users = {*state_dir.users(), *members}
        for user in sorted(users.difference(misspelled(users))):
            yield from _disagreements(state_dir, user, enforcement, members)
    uids = SharedUids()
    for user in sorted(enforcement.accounts):
        yield from read_key(state_dir, "keys", user)[1]
        for name in uids.other_names(user):
            if name not in enforcement.accounts and name not in enforcement.exempt:
                yield Finding("uid_shared", (f"{name} has the same user id as {user}, who is enforced",))


def _disagreements(
    state_dir: StateDir, user: str, enforcement: Enforcement, members: Collection[str]
) -> Iterator[Finding]:
    """An unreadable key file counts as present; what is wrong with it is a separate finding."""
    if user in enforcement.assumed:
        return
    facts = UserFacts(
        pending=state_dir.has("pending", user),
        validated=state_dir.has("keys", user),
        member=user in members,
        exempt=user in enforcement.exempt,
        account=user in enforcement.accounts or account_exists(user),
        was_asked=state_dir.was_asked(user),
    )
    for found in disagreements(facts, enforcement.group.name):
        yield found._replace(evidence=tuple(f"{user}: {text}" for text in found.evidence))
