# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The allowed ranges and defaults of all numbers: module options, role variables (mfa_NAME), key files and the
enrollment policy.

Private. The first five ranges are those of pam_google_authenticator (libpam-google-authenticator 1.08 to 1.11). The
number of recovery codes is limited by us: a hundred of them still fit on one page.
"""

from __future__ import annotations

from typing import Any, Collection, Mapping, NamedTuple

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError


class Range(NamedTuple):
    low: int
    high: int
    default: int

    def allows(self, value: int) -> bool:
        return self.low <= value <= self.high

    def __str__(self) -> str:
        return f"{self.low} to {self.high}"


RANGES = {
    "digits": Range(6, 6, 6),
    "period": Range(1, 60, 30),  # seconds
    "window": Range(1, 100, 3),  # time steps
    "rate_limit_attempts": Range(1, 100, 3),
    "rate_limit_seconds": Range(1, 3600, 30),
    "lock_after": Range(0, 100, 10),  # wrong tokens, 0: only the limit of 100
    "lock_seconds": Range(0, 86400, 1800),  # 0: until unlocked
    "remember_seconds": Range(0, 43200, 0),  # 0: never
    "recovery_codes": Range(0, 100, 5),
    "enrollment_days": Range(1, 365, 7),  # also for extensions
    "confirm_timeout": Range(15, 3600, 120),  # seconds
    "key_max_age": Range(0, 3650, 0),  # days, 0: never
    "help_desk_code_hours": Range(1, 72, 4),
    "claims_timeout": Range(1, 10, 3),  # seconds
    "port": Range(1, 65535, 22),
    "parallel": Range(1, 200, 20),
    "login_timeout": Range(1, 600, 60),  # seconds
    "log_days": Range(1, 90, 7),
}
# Module options with another name than the setting.
SETTING_OF_OPTION = {"recovery_code_count": "recovery_codes", "timeout": "claims_timeout", "audit_log_days": "log_days"}
DEFAULT_ISSUER = "SSH"


def check_range(name: str, value: int, option: str | None = None) -> None:
    """`option` is the name known to the user, if it differs from `name`."""
    if not RANGES[name].allows(value):
        raise FleetMfaError(f"{option or name}: {value} is not in the range {RANGES[name]}")


def check_ranges(params: Mapping[str, Any]) -> None:
    """Check every given option of a module whose range is in the table."""
    for option, value in params.items():
        name = SETTING_OF_OPTION.get(option, option)
        if name in RANGES and value is not None:
            check_range(name, value, option)


def check_choice(option: str, value: str, choices: Collection[str]) -> None:
    """In place of `choices` in the spec of an option beside secrets: AnsibleModule shows the value that it refuses."""
    if value not in choices:
        raise FleetMfaError(f"{option}: must be one of {', '.join(choices)}")
