# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What passes through the door of enrollment; the two sides share nothing else. Private to the collection.

A request is one line of JSON, `{"request": NAME, VALUE: TEXT, …}`, an answer one JSON object: what was asked for, a
`Refusal` or a `Failure`. No request names a user: the kernel says who asks.
"""

from __future__ import annotations

from typing import Literal, Mapping, TypedDict, Union

from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys import refusals

Reason = refusals.Reason

SOCKET = "/run/fleetmfa/enroll.sock"
LONGEST_REQUEST, LONGEST_ANSWER = 1024, 65536  # bytes

# Each request and the values it comes with.
REQUESTS: Mapping[str, tuple[str, ...]] = {
    "status": (),
    "key": (),
    "new_key": ("token",),
    "first": ("token",),
    "validate": ("first", "second"),
    "recovery_codes": ("token",),
}

# How a user gets to see a pending key: it is shown; shown for a token of the validated key it will replace; not shown,
# since an operator has given it; there is none, and none may be made.
WayToSee = Literal["shown", "for_token", "given", "none"]


class Status(TypedDict):
    """Answer to `status`: what is known of the user's key on this host."""

    user: str
    pending: bool
    validated: bool
    since: int | None  # seconds since the epoch: when the validated key, else the pending one, came to be that
    enforced: bool
    exempt: bool
    may_enroll: bool
    key: WayToSee
    period: int  # seconds a token of the pending key is shown
    recovery_codes: int  # how many are left of the validated key
    open: bool  # the enrollment period
    deadline: str | None  # of it: the first day after, YYYY-MM-DD
    days_left: int | None
    overdue: bool
    overdue_mode: str  # what becomes of overdue users: allow, enroll_only or deny


class ShownKey(TypedDict):
    """Answer to `key` and `new_key`: secret."""

    secret: str  # base32
    issuer: str
    account: str
    period: int


class NewCodes(TypedDict):
    """Answer to `recovery_codes`: secret, and told this once."""

    recovery_codes: list[str]


class Validated(NewCodes):
    """Answer to `validate`."""

    enforced: bool
    exempt: bool


class Nothing(TypedDict):
    """Answer to `first`: the token is right."""


class Refusal(TypedDict):
    """The desk says no."""

    refused: Reason
    seconds: int  # as those of TokenRefused


class Failure(TypedDict):
    """The service cannot do it; the text is for the user."""

    failed: str


Answer = Union[Status, ShownKey, NewCodes, Validated, Nothing, Refusal, Failure]
