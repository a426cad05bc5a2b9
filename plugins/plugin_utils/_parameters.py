# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Numbers, and the parameters of a key, as templates give them. Private to the collection."""

from __future__ import annotations

from typing import Any, NamedTuple

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.otpauth import ANY_DIGITS
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.settings import check_choice, check_range
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.totp import ALGORITHMS


class Parameters(NamedTuple):
    period: int
    digits: int
    algorithm: str


def check_parameters(period: Any, digits: Any, algorithm: Any) -> Parameters:
    """No value is shown, since it may be a misplaced secret."""
    checked = Parameters(whole_number(period, "period"), whole_number(digits, "digits"), str(algorithm).upper())
    check_range("period", checked.period)
    check_choice("digits", str(checked.digits), list(map(str, ANY_DIGITS)))
    check_choice("algorithm", checked.algorithm, list(ALGORITHMS))
    return checked


def whole_number(value: Any, option: str) -> int:
    """Of at most five digits, so that no token is one."""
    text = str(value)
    if not (text.isascii() and text.isdigit() and len(text) < 6):
        raise FleetMfaError(f"{option}: must be a number")
    return int(text)
