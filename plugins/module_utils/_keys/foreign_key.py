# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A key that another set-up than this collection has made for a user, as an import finds it. Private."""

from __future__ import annotations

from typing import NamedTuple, TypedDict

from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.totp import URI_PERIOD

# Used steps later than this are no evidence of anything: the device's clock cannot have been that far ahead.
FUTURE_SECONDS = 3600


class ForeignKey(TypedDict):
    """A key with its secret, and what is known of its use. `used` are time steps, `drift` is in steps: by how many the
    device was ahead when a token of it was accepted last, None if that cannot be told. `not_carried` are settings that
    an import drops, `notes` is what else the operator has to know."""

    user: str
    source: str
    secret: str
    period: int
    issuer: str
    account: str
    codes: list[str]
    used: list[int]
    last_used: int | None
    drift: int | None
    not_carried: list[str]
    notes: list[str]


class NotImported(NamedTuple):
    """What was found and cannot become a key of the store; `why` contains nothing of the content."""

    user: str
    source: str
    why: str


def foreign_key(
    user: str, source: str, secret: str, period: int = URI_PERIOD, issuer: str = "", account: str = ""
) -> ForeignKey:
    """Of whose use nothing is known."""
    return {
        "user": user,
        "source": source,
        "secret": secret,
        "period": period,
        "issuer": issuer,
        "account": account,
        "codes": [],
        "used": [],
        "last_used": None,
        "drift": None,
        "not_carried": [],
        "notes": [],
    }
