# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What is wrong with a user's key files, as findings; never a line of a file. Private to the collection."""

from __future__ import annotations

import time
from collections import defaultdict

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._findings import Finding
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.key_file import KeyFile
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.origin import UNKNOWN_ORIGIN, is_of_unknown_origin
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.owners import Owners
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.state_dir import StateDir
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import EnforcedGroup

# Seconds for which a login without a claim in the fleet is a finding: long enough for an audit once a week.
FALLBACK_TOLD = 8 * 24 * 3600

_FINDING = {"denied": "key_dead", "weak": "key_weak", "ignored": "key_malformed"}


def read_key(state_dir: StateDir, folder: str, user: str) -> tuple[KeyFile | None, list[Finding]]:
    """The key, None if there is none or it cannot be read, and what is wrong with its file."""
    where = f"{state_dir.path}/{folder}/{user}"
    try:
        key = state_dir.validated(user) if folder == "keys" else state_dir.pending(user)
    except FleetMfaError as error:
        return None, [_finding("key_unreadable", folder, f"{user}: {error}")]
    if key is None:
        return None, []
    access = state_dir.access_problem(folder, user)
    found = [_finding("key_unreadable", folder, f"{where}: {access}")] if access else []
    found += findings_in(key, folder, where)
    if folder == "pending" and is_of_unknown_origin(key):
        found.append(Finding("key_origin_unknown", (f"{where}: {UNKNOWN_ORIGIN}",)))
    return key, found


def findings_in(key: KeyFile, folder: str, where: str) -> list[Finding]:
    """Findings about the content of a key file in this folder, keys or pending."""
    return [_finding(_FINDING[problem.kind], folder, f"{where}: {problem.text}") for problem in key.problems]


def spelling_findings(state_dir: StateDir, group: EnforcedGroup) -> dict[str, list[Finding]]:
    """For each account, what is stored under another spelling of its name, where it has no effect."""
    found: dict[str, list[str]] = defaultdict(list)
    for name, account in group.misspelled().items():
        found[account].append(
            f"{group.name} has the member {name}, another spelling of {account}: nobody is asked for a token because of it"
        )
    for one in Owners(state_dir).misplaced:
        path = f"{state_dir.path}/{one.folder}/{one.name}"
        found[one.account].append(f"{path} is under another spelling of {one.account}: it is not used")
    return {account: [Finding("account_misspelled", tuple(evidence))] for account, evidence in found.items()}


def guard_findings(state_dir: StateDir, user: str, now: float) -> list[Finding]:
    """What the guard's record says of a user."""
    return [*_fallback_findings(state_dir, user, now), *_lock_findings(state_dir, user, now)]


def _lock_findings(state_dir: StateDir, user: str, now: float) -> list[Finding]:
    """Wrong tokens after an accepted SSH key (docs/wrong_tokens.md)."""
    wrong = state_dir.wrong_tokens(user)
    if wrong.seconds_left is not None:
        until = f"locked until {time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime(now + wrong.seconds_left))}"
    elif wrong.locked:
        until = "locked until an operator unlocks the user"
    elif wrong.suspended:
        until = "only a recovery code lets in"
    else:
        return []
    return [Finding("user_locked", (f"{user}: {wrong.in_a_row} wrong tokens in a row, {until}",))]


def _fallback_findings(state_dir: StateDir, user: str, now: float) -> list[Finding]:
    """A login that was let in without a claim in the fleet, since the claim store had not answered (docs/claims.md)."""
    last = state_dir.last_fallback(user)
    if last is None or now - last > FALLBACK_TOLD:
        return []
    when = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(last))
    return [Finding("claims_fell_back", (f"{user}: let in on a claim on this host alone, last at {when}",))]


def _finding(name: str, folder: str, evidence: str) -> Finding:
    """Nobody is asked for tokens of a pending key yet, so nothing in it denies a login."""
    return Finding(name if folder == "keys" else "pending_key_faulty", (evidence,))
