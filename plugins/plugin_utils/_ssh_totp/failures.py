# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What a failed login means, from what ssh says and from what was asked. Private to the collection."""

from __future__ import annotations

import re

_DENIED = re.compile(r"Permission denied \(([\w,-]+)\)")
# What sshd says, or does not say, to a source that it penalises: it ends before it has said anything else.
_DROPPED = re.compile(r"Not allowed at this time|kex_exchange_identification: .*(closed|reset)")
_CLOSED = re.compile(r"Connection (closed|reset) by .* port")

DROPS = (
    "drops connections from this address: PerSourcePenalties after failed logins (up to 10 minutes; put this controller "
    "into mfa_penalty_exempt, which writes PerSourcePenaltyExemptList), MaxStartups, or a firewall"
)
DENIED_ACCOUNT = (
    "the account is locked or expired there, or denied by PAM's account phase (pam_access, pam_nologin, pam_time)"
)
REFUSED_BEFORE_TOKEN = (
    "refused the login before it asked for a token: more logins than its rate limit allows (mfa_rate_limit_attempts; wait "
    "for mfa_rate_limit_seconds), or wrong tokens have locked the user there (mfa_lock_after), or the account is locked, or "
    "the host has no usable key for it (playbook status tells)"
)


def with_reasons_of_drop(problem: str) -> str:
    """`problem`, and why hosts drop connections if that is what it says without a reason."""
    if "PerSourcePenalties" in problem or not (_DROPPED.search(problem) or _CLOSED.search(problem)):
        return problem
    return f"{problem}; perhaps the host {DROPS}"


def explanation(stderr: str, asked: bool, user: str, host: str) -> str | None:
    """None if ssh's own message is all there is to say. `asked`: a token was given."""
    denied = _DENIED.findall(stderr)
    if denied and asked:
        return (
            f"{host} did not accept the token of {user}. Either the key on that host is another one, or missing; or a clock is off by "
            "more than a time step (compare `date +%s` here and there); or somebody else had used the token there (with "
            f"mfa_claims: etcd, on any host, or etcd did not answer); or the token was right, and {DENIED_ACCOUNT}. The "
            "host's log says which (tag totp-guard). It is not tried again, since wrong tokens lock accounts and penalise "
            "this controller"
        )
    if denied and "publickey" not in denied[-1].split(",") and "keyboard-interactive" in denied[-1].split(","):
        return f"{host} took the SSH key of {user} but {REFUSED_BEFORE_TOKEN}"
    if denied:
        return f"{host} did not accept any SSH key of {user}, and asked for no token"
    if _DROPPED.search(stderr):
        return f"{host} {DROPS}"
    if _CLOSED.search(stderr):
        return f"{host} closed the connection of {user} without a word. Either {DENIED_ACCOUNT}; or it {DROPS}"
    return None
