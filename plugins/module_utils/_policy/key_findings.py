# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the fleetmfa.ssh authors
"""Whether the key files of enforced users let them pass: findings, never a line of a file. Private to the collection."""

from __future__ import annotations

from typing import Iterable, Iterator

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.state_dir import StateDir
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.findings import Finding


def key_findings(state_dir: StateDir, enforced: Iterable[str]) -> Iterator[Finding]:
    try:
        state_dir.check()
    except FleetMfaError as error:
        yield Finding("key_folder_open", (str(error),))
    for user in sorted(enforced):
        yield from _findings_of(state_dir, user)


def _findings_of(state_dir: StateDir, user: str) -> Iterator[Finding]:
    path = f"{state_dir.path}/keys/{user}"
    try:
        key = state_dir.validated(user)
    except FleetMfaError as error:
        yield Finding("key_unreadable", (f"{user}: {error}",))
        return
    if key is None:
        yield Finding("key_missing", (f"{user}: {path} does not exist, so every login is denied",))
        return
    access = state_dir.access_problem("keys", user)
    if access:
        yield Finding("key_unreadable", (f"{user}: {path}: {access}",))
    for problem in key.problems:
        finding = "key_dead" if problem in key.denials else "key_malformed"
        yield Finding(finding, (f"{user}: {path}: {problem}",))
