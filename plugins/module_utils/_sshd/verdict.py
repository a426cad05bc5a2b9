# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The verdict on a login: the ways in that sshd offers, each judged together with what it runs of PAM. Private.

This package knows no PAM, so it asks: `AssumedPam` is what has to be assumed of PAM, and _policy/pam_service.py
replaces it by what the host's PAM does.
"""

from __future__ import annotations

from pathlib import Path
from typing import Iterable, NamedTuple, TypedDict

from ansible_collections.fleetmfa.ssh.plugins.module_utils._findings import Finding
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.login import Login, converses

ASKED, NOT_ASKED, CAN_BYPASS, LOCKED_OUT = "asked", "not_asked", "can_bypass", "locked_out"
# If the verdicts for several connections differ, the class gets the most urgent one.
GRAVITY = (CAN_BYPASS, LOCKED_OUT, NOT_ASKED, ASKED)
_PAM_FOLDERS = ("/etc/pam.d", "/usr/lib/pam.d", "/usr/etc/pam.d")


class LoginStep(TypedDict):
    """One step of a login, as module sshd_policy_info returns it."""

    method: str
    prompt: str
    answer: str
    line: str
    effect: str


class JudgedWay(NamedTuple):
    """Whether a way in can succeed with a token and without one; how it does without, or why it never does. With a token: for how
    long it may be remembered."""

    with_token: bool
    without_token: bool
    steps: tuple[LoginStep, ...] = ()
    reason: str = ""
    remembered_seconds: int = 0


class LoginVerdict(NamedTuple):
    """`steps` are a login without a token, `reason` is why nobody gets in. Of who is asked, `remembered_seconds`: for how long a
    token may be remembered."""

    said: str
    steps: tuple[LoginStep, ...] = ()
    reason: str = ""
    remembered_seconds: int = 0


class AssumedPam:
    """PAM as sshd alone has to assume it: keyboard-interactive asks for the token, and everything else does not."""

    def has_file(self, service: str) -> bool:
        return any((Path(folder) / service).is_file() for folder in _PAM_FOLDERS)

    def findings(self, one: Login) -> Iterable[Finding]:
        """What is wrong with the PAM service that this enforced user is sent to."""
        return ()

    def judge(self, one: Login, way: tuple[str, ...]) -> JudgedWay:
        return JudgedWay(with_token=converses(way), without_token=not converses(way))


def verdict(one: Login, enforced: bool, pam: AssumedPam) -> LoginVerdict:
    ways = [pam.judge(one, way) for way in one.ways_in]
    if not any(way.with_token or way.without_token for way in ways):
        reasons = dict.fromkeys(way.reason for way in ways)
        return LoginVerdict(LOCKED_OUT, reason="; ".join(reasons) or one.denied_because)
    open_way = next((way for way in ways if way.without_token), None)
    if open_way is None:
        return LoginVerdict(ASKED, remembered_seconds=max(way.remembered_seconds for way in ways))
    return LoginVerdict(CAN_BYPASS if enforced else NOT_ASKED, open_way.steps)
