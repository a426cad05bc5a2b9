# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Why a token is refused, or a key not shown. Private to the collection."""

from __future__ import annotations

from typing import Literal

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError

Reason = Literal[
    "malformed",
    "wrong",
    "same_step",
    "order",
    "too_far_apart",
    "clock_off",
    "already_used",
    "too_many_tries",
    "no_pending_key",
    "no_validated_key",
    "key_given",
    "token_needed",
    "no_first_factor",
]


class TokenRefused(FleetMfaError):
    """`reason` is for programs, the message for people; neither contains a token.

    `seconds`: with `clock_off`, how far the device's clock is ahead; with `too_many_tries`, how long to wait.
    """

    def __init__(self, reason: Reason, message: str, seconds: int = 0):
        super().__init__(message)
        self.reason = reason
        self.seconds = seconds
