# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The messages that pass through the enrollment door; the two sides share nothing else. Private to the collection.

A request is one line of JSON, `{"request": NAME, VALUE: TEXT, …}`; an answer is one JSON object: the requested data, a
`Refusal` or a `Failure`. No request names a user: the kernel identifies who is asking.
"""

from __future__ import annotations

from typing import Literal, Mapping, TypedDict, Union

from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys import refusals
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.previous_login import PreviousLogin

Reason = refusals.Reason

SOCKET = "/run/fleetmfa/enroll.sock"
LONGEST_REQUEST, LONGEST_ANSWER = 1024, 65536  # bytes

# Each request and its values.
REQUESTS: Mapping[str, tuple[str, ...]] = {
    "status": (),
    "ready": (),
    "key": (),
    "new_key": ("token",),
    "first": ("token",),
    "validate": ("first", "second"),
    "recovery_codes": ("token",),
    "forget": (),
    "seen": (),
}

# How a user gets to see a pending key: it is shown; it is shown for a token of the validated key that it will replace;
# it is not shown, since an operator has given it; there is none, and none may be created.
WayToSee = Literal["shown", "for_token", "given", "none"]


class Status(TypedDict):
    """Answer to `status`: the state of the user's key on this host."""

    user: str
    pending: bool
    validated: bool
    since: int | None  # seconds since the epoch: when the key became validated or, if only pending, was provisioned
    enforced: bool
    exempt: bool
    exempt_until: str | None  # the last day of that, YYYY-MM-DD; None if it has no end
    locked: bool  # wrong tokens in a row: a login is denied without a prompt
    locked_seconds: int | None  # how long still; None: until an operator unlocks the user
    suspended: bool  # a hundred of them: only a recovery code lets the user in
    may_enroll: bool
    key: WayToSee
    period: int  # seconds for which a token of the pending key is shown
    recovery_codes: int  # number left for the validated key
    open: bool  # the enrollment period
    deadline: str | None  # the first day after that period, YYYY-MM-DD
    days_left: int | None
    overdue: bool
    overdue_mode: str  # what happens to overdue users: allow, enroll_only or deny
    displaced: str | None  # as KeyFile.displaced
    previous_login: PreviousLogin | None  # to be told at a login; None if there is nothing to tell


class ShownKey(TypedDict):
    """Answer to `key` and `new_key`: secret."""

    secret: str  # base32
    issuer: str
    account: str
    period: int


class NewCodes(TypedDict):
    """Answer to `recovery_codes`: secret, and shown only this once."""

    recovery_codes: list[str]


class Validated(NewCodes):
    """Answer to `validate`."""

    enforced: bool
    exempt: bool


class Nothing(TypedDict):
    """Answer to `first`: the token is right. Answer to `seen`: the user has been told. Answer to `forget`: each login is
    asked again. Answer to `ready`: this user could still log in as an enforced one."""


class Refusal(TypedDict):
    """The desk refuses the request."""

    refused: Reason
    seconds: int  # as in TokenRefused


class Failure(TypedDict):
    """The service cannot handle the request; the text is for the user."""

    failed: str


Answer = Union[Status, ShownKey, NewCodes, Validated, Nothing, Refusal, Failure]
