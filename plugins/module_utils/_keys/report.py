# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What may be reported about a user's keys. Private to the collection."""

from __future__ import annotations

import datetime
from typing import Callable, Mapping, NamedTuple, TypedDict

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._findings import Finding, FindingReport, merged
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.agreement import UserFacts, disagreements
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.collection import is_locked
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.entry import Keys
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.key_file import KeyFile
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.options import MfaHost
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.origin import is_of_unknown_origin
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.problems import guard_findings, read_key
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.second_keys import FIRST_DEVICE, SecondKeys, device_of
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.state_dir import check_user_name
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.two_tokens import wait_seconds
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import account_exists
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.utc import utc_text

EXPECTABLE = ("issuer", "period", "window", "rate_limit_attempts", "rate_limit_seconds")


class UserEnrollment(NamedTuple):
    """How long a user may take to validate a key: until this day begins."""

    deadline: datetime.date
    is_over: bool


# The last day of a user's exemption; None if it has no end, or the user is not exempt.
ExemptUntil = Callable[[str], "datetime.date | None"]
# None for users who need not.
EnrollmentOf = Callable[[str, Keys], "UserEnrollment | None"]


class SecondDevice(TypedDict):
    """Only with a second device: its name, and the state of its key."""

    device: str
    state: str
    since: str | None


class UserReport(TypedDict):
    """An entry of the return value `users` of module totp_key_info; times are UTC, ISO 8601."""

    user: str
    account_exists: bool
    state: str
    status: str
    enforced: bool
    exempt: bool
    exempt_until: str | None
    revoked: bool
    since: str | None
    last_mfa_login: str | None
    recovery_codes_left: int
    clock_drift_seconds: int | None
    rate_limited: bool
    rate_limited_until: str | None
    wrong_tokens: int
    locked: bool
    locked_until: str | None
    suspended: bool
    validation_refused_until: str | None
    enrollment_deadline: str | None
    rotation_pending: bool
    second_device: SecondDevice | None
    devices: list[str]
    pending_origin: str | None
    problems: list[FindingReport]
    differs: list[str]


def report(
    user: str,
    host: MfaHost,
    members: set[str],
    misspelled: Mapping[str, list[Finding]],
    expected: Mapping[str, str | int],
    enrollment_of: EnrollmentOf,
    now: float,
    exempt_until: ExemptUntil = lambda _user: None,
) -> UserReport:
    """The entry of one user. An unreadable key file is a problem of that user and does not fail the call.

    Without `exempt_until` no exemption has a last day: an audit lists the entries themselves.
    """
    check_user_name(user)
    pending, of_pending = read_key(host.state_dir, "pending", user)
    validated, of_validated = read_key(host.state_dir, "keys", user)
    keys = Keys(pending, validated)
    current = keys.validated or keys.pending
    unknown = keys.pending is not None and is_of_unknown_origin(keys.pending)
    wait = wait_seconds(keys.pending, now) if keys.pending else 0
    limited_until = keys.validated.rate_limited_until(now) if keys.validated else None
    wrong = host.state_dir.wrong_tokens(user)
    facts = UserFacts(
        pending=keys.pending is not None,
        validated=keys.validated is not None,
        member=user in members,
        exempt=user in host.exempt,
        account=account_exists(user),
        was_asked=host.state_dir.was_asked(user),
    )
    in_disagreement = disagreements(facts, host.group.name)
    problems = [*misspelled.get(user, []), *of_pending, *of_validated, *in_disagreement]
    problems = merged([*problems, *guard_findings(host.state_dir, user, now)])
    enrollment = enrollment_of(user, keys)
    revoked = keys.validated is not None and is_locked(keys.validated)
    second = _second_device(user, host)
    last_day = exempt_until(user) if facts.exempt else None
    return {
        "user": user,
        "account_exists": facts.account,
        "state": keys.state,
        "status": _status(facts, enrollment, revoked or (facts.member and host.state_dir.why_denied(user) is not None)),
        "enforced": facts.member,
        "exempt": facts.exempt,
        "exempt_until": last_day.isoformat() if last_day else None,
        "revoked": revoked,
        "since": utc(current.since if current else None),
        "last_mfa_login": utc(_last_login(keys.validated, host.state_dir.last_login(user))),
        "recovery_codes_left": len(current.recovery_codes) if current else 0,
        "clock_drift_seconds": current.meta.get("drift_seconds") if current else None,
        "rate_limited": limited_until is not None,
        "rate_limited_until": utc(limited_until),
        "wrong_tokens": wrong.in_a_row,
        "locked": wrong.locked,
        "locked_until": utc(None if wrong.seconds_left is None else int(now) + wrong.seconds_left),
        "suspended": wrong.suspended,
        "validation_refused_until": utc(int(now) + wait if wait else None),
        "enrollment_deadline": enrollment.deadline.isoformat() if enrollment else None,
        "rotation_pending": None not in keys,
        "second_device": second,
        "devices": [] if revoked else _devices(keys.validated, second),
        "pending_origin": keys.pending.origin if keys.pending and not unknown else None,
        "problems": [problem.as_dict() for problem in problems],
        "differs": sorted({name for key in keys if key for name in _differing(key, expected)}),
    }


def _second_device(user: str, host: MfaHost) -> SecondDevice | None:
    """None, too, for a key that cannot be read: no login takes it."""
    second = SecondKeys(host.state_dir)
    try:
        keys = Keys(second.pending(user), second.validated(user))
    except FleetMfaError:
        return None
    key = keys.validated or keys.pending
    return {"device": device_of(key) or "", "state": keys.state, "since": utc(key.since)} if key else None


def _devices(first: KeyFile | None, second: SecondDevice | None) -> list[str]:
    """Those with a validated key. The second counts beside the first only."""
    if first is None:
        return []
    return [
        device_of(first) or FIRST_DEVICE,
        *([second["device"]] if second and second["state"] == "validated" else []),
    ]


def _status(facts: UserFacts, enrollment: UserEnrollment | None, denied: bool) -> str:
    """What happens to the user at a login, in a word; `denied` counts for members, who need a key."""
    if not facts.account:
        return "no_account"
    if facts.member:
        return "denied" if denied else "validated"
    if facts.exempt:
        return "exempt"
    if facts.validated:
        return "not_asked"
    if not facts.pending:
        return "not_provisioned"
    return "overdue" if enrollment and enrollment.is_over else "pending"


def _last_login(key: KeyFile | None, by_guard: int | None) -> int | None:
    """The guard knows to the second when it let somebody in, with a recovery code, too. The key file knows the time step of
    the last token, which counts if it is later than that: then the guard has been turned off."""
    by_step = key.last_login if key else None
    if key is None or by_guard is None or by_step is None:
        return by_guard if by_step is None else by_step
    return by_step if by_step > by_guard + key.window * key.period else by_guard


def _differing(key: KeyFile, expected: Mapping[str, str | int]) -> list[str]:
    attempts, seconds = key.rate_limit or (None, None)
    actual = {
        "issuer": key.issuer,
        "period": key.period,
        "window": key.window,
        "rate_limit_attempts": attempts,
        "rate_limit_seconds": seconds,
    }
    return [name for name, value in expected.items() if actual[name] != value]


def utc(seconds: int | None) -> str | None:
    """ISO 8601."""
    return None if seconds is None else utc_text(seconds)
