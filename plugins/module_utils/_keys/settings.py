# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The one table of what numbers may be: module options, role variables (mfa_NAME) and the enrollment policy. Private.

The first five are what pam_google_authenticator takes (libpam-google-authenticator 1.08 to 1.11), but for the number of
recovery codes, which is ours: a hundred of them still fit one page.
"""

from __future__ import annotations

from typing import NamedTuple

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError


class Range(NamedTuple):
    low: int
    high: int

    def __str__(self) -> str:
        return f"{self.low} to {self.high}"


RANGES = {
    "period": Range(1, 60),  # seconds
    "window": Range(1, 100),  # time steps
    "rate_limit_attempts": Range(1, 100),
    "rate_limit_seconds": Range(1, 3600),
    "recovery_codes": Range(0, 100),
    "enrollment_days": Range(1, 365),  # extensions too
    "confirm_timeout": Range(15, 3600),  # seconds
}


def check_range(name: str, value: int, option: str | None = None) -> None:
    """`option` is the name the user knows it by, where that is another."""
    allowed = RANGES[name]
    if not allowed.low <= value <= allowed.high:
        raise FleetMfaError(f"{option or name}: {value} is not within {allowed}")
