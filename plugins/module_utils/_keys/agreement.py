# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Whether key, group, exemption and account of a user agree, compared in both directions. Private to the collection.

Documented by the table in docs/lost_keys.md. The content of a key file is checked elsewhere (`KeyFile.problems`).
"""

from __future__ import annotations

from typing import Iterator, NamedTuple

from ansible_collections.fleetmfa.ssh.plugins.module_utils._findings import Finding


class UserFacts(NamedTuple):
    """The facts about one user. `was_asked`: there is a record of logins with a key that was never removed on
    purpose."""

    pending: bool = False
    validated: bool = False
    member: bool = False
    exempt: bool = False
    account: bool = True
    was_asked: bool = False


def disagreements(facts: UserFacts, group: str) -> list[Finding]:
    """Findings about one user, whom the evidence does not name."""
    return [Finding(name, (evidence,)) for name, evidence in _disagreements(facts, group)]


def _disagreements(facts: UserFacts, group: str) -> Iterator[tuple[str, str]]:
    if not facts.account:
        if facts.member:
            yield (
                "member_without_account",
                f"a member of {group} without an account on this host; a future account of that name would be enforced",
            )
        return
    if facts.member and facts.exempt:
        yield "exempt_member", f"exempt but a member of {group}, and therefore asked for a token"
    if facts.member and not facts.validated:
        yield "key_missing", f"a member of {group} without a readable validated key: every login is denied"
    if facts.member or facts.exempt:
        return
    if facts.validated:
        yield (
            "validated_not_member",
            f"has a validated key but is not a member of {group}, so can log in without a token",
        )
    elif facts.pending and facts.was_asked:
        yield (
            "member_released",
            "was asked for a token before, and can now log in without one: the validated key was lost, and version "
            "0.1.0 released the user",
        )
