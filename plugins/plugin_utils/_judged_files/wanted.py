# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Which verdict is wanted for which class of users, and what to do if it is another. Private to the collection."""

from __future__ import annotations

from typing import Any, NamedTuple, Sequence

from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.verdict import (
    ASKED,
    CAN_BYPASS,
    LOCKED_OUT,
    NOT_ASKED,
)
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._judged_files.judging import JudgedUsers
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._judged_files.people import ENFORCED, OTHER

ANY = "any"
OTHERS = (NOT_ASKED, ASKED, ANY)
_EXEMPT = "Whoever is meant to get in without a token belongs in mfa_exempt_users or mfa_exempt_groups."
_GATE = "Let the token lines apply to the enforced group alone (pam_succeed_if user ingroup, Match Group)"
_REMEDIES = {
    CAN_BYPASS: "Require a token in every way in, also in the PAM lines above.",
    LOCKED_OUT: "Correct the lines above: none of these users could log in.",
}


class ComparedUsers(NamedTuple):
    """A class of users with what is wanted of it."""

    judged: JudgedUsers
    wanted: tuple[str, ...]
    ok: bool
    remedy: str  # empty if ok

    @property
    def wish(self) -> str:
        return " or ".join(self.wanted)

    def as_dict(self) -> dict[str, Any]:
        one = self.judged
        return {
            "kind": one.kind,
            "users": one.users,
            "verdict": one.verdict,
            "remembered_seconds": one.remembered_seconds,
            "wanted": list(self.wanted),
            "ok": self.ok,
            "where": list(one.where),
            "counterexample": list(one.counterexample),
            "reason": one.reason,
            "remedy": self.remedy,
        }


def compared(found: Sequence[JudgedUsers], others: str) -> list[ComparedUsers]:
    """Whom sshd denies on purpose is as wanted, but not if that is everybody who is enforced."""
    nobody = all(one.denied for one in found if one.kind == ENFORCED)
    return [_compared(one, others, may_be_denied=not (nobody and one.kind == ENFORCED)) for one in found]


def _compared(one: JudgedUsers, others: str, may_be_denied: bool) -> ComparedUsers:
    wanted = _wanted(one.kind, others)
    ok = one.verdict in wanted or (one.denied and may_be_denied)
    return ComparedUsers(one, wanted, ok, "" if ok else _remedy(one))


def _wanted(kind: str, others: str) -> tuple[str, ...]:
    if kind == ENFORCED:
        return (ASKED,)
    if kind == OTHER and others != NOT_ASKED:
        return (ASKED,) if others == ASKED else (NOT_ASKED, ASKED)
    return (NOT_ASKED,)


def _remedy(one: JudgedUsers) -> str:
    if one.kind == ENFORCED:
        said = " ".join(one.remedies) or _REMEDIES[one.verdict]
        return f"{said} {_EXEMPT}" if one.verdict == CAN_BYPASS else said
    if one.verdict == ASKED:
        unless = ", or set mfa_judge_others=asked if all users are meant to be asked." if one.kind == OTHER else "."
        return _GATE + unless
    if one.verdict == NOT_ASKED:
        return "Require a token of every user, or set mfa_judge_others=not_asked."
    return _REMEDIES[LOCKED_OUT]
