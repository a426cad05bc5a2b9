# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Findings about users and their keys that the audit of a host has besides those of _policy/key_findings.py. Private."""

from __future__ import annotations

from collections import defaultdict
from typing import Iterable, Iterator, Mapping

from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit.users import UserRow, can_have_session
from ansible_collections.fleetmfa.ssh.plugins.module_utils._findings import Finding
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.key_file import KeyFile
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.first_factor import judge
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.verdict import ASKED, LOCKED_OUT
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import SECURITY_KEY_GROUP, EnforcedGroup

# NIST SP 800-63B-4, 3.1.4: at least 112 bits, and a token that is good for two minutes at most.
_LEAST_BITS = 112
_MOST_SECONDS = 120


def judge_logins(rows: Iterable[UserRow], group: str) -> None:
    """Fills in `can_log_in`. root, for instance, has neither an SSH key nor a password on many hosts."""
    open_to = {row["user"]: row for row in rows if row["admin"] and row["state"] != "enforced"}
    for user, answer in judge(open_to, group, enforced=False).items():
        open_to[user]["can_log_in"] = {"can": True, "cannot": False}.get(answer.state)


def user_findings(rows: Iterable[UserRow], verdicts: Mapping[str, str]) -> Iterator[Finding]:
    """`verdicts`: what sshd and PAM together ask each account for, as far as that is known."""
    # Of them, sshd_security_key_not_demanded says what is wrong.
    with_security_key = EnforcedGroup(SECURITY_KEY_GROUP).members
    for row in rows:
        if row["overdue"]:
            yield Finding("enrollment_overdue", (f"{row['user']}: the period ended at {row['deadline']}",))
        # Whoever cannot log in, or is asked by the host's own lines, needs no token of ours.
        safe = row["state"] == "enforced" or verdicts.get(row["user"]) in (LOCKED_OUT, ASKED)
        if safe or row["user"] in with_security_key or not can_have_session(row["user"]):
            continue
        if row["admin"] and row["can_log_in"] is not False:
            name = "user_admin_exempt" if row["state"] == "exempt" else "user_admin_not_enforced"
            yield Finding(name, (f"{row['user']}: {', '.join(row['admin'])}; {_STATES[row['state']]}",))
        if row["human"] and row["state"] != "exempt":
            yield Finding("user_not_enforced", (f"{row['user']}: {_STATES[row['state']]}",))


_STATES = {
    "none": "has no key",
    "pending": "has a key that is not validated",
    "validated": "has a validated key, but is not enforced",
    "exempt": "is exempt",
}


def key_strength_findings(keys: Iterable[tuple[str, KeyFile]]) -> Iterator[Finding]:
    """About validated keys. Secrets are compared here, and neither they nor anything made of them is returned."""
    owners: dict[bytes, list[str]] = defaultdict(list)
    with_codes = 0
    for user, key in keys:
        secret = key.secret
        if secret is not None:
            owners[secret].append(user)
        if key.bits < _LEAST_BITS:
            yield Finding("key_short", (f"{user}: {key.bits} bits",))
        if key.window * key.period > _MOST_SECONDS:
            yield Finding("window_wide", (f"{user}: a token is accepted for {key.window * key.period} seconds",))
        with_codes += bool(key.recovery_codes)
    for users in owners.values():
        if len({user.partition(" ")[0] for user in users}) > 1:
            yield Finding("key_shared_by_users", (", ".join(sorted(users)),))
    if with_codes:
        told = "1 user has" if with_codes == 1 else f"{with_codes} users have"
        yield Finding(
            "recovery_codes_in_clear", (f"{told} unspent recovery codes, which the key files contain in clear",)
        )
