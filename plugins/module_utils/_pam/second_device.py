# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What must hold for users with one device and for users with two, if a service tells them apart. Private to the collection.

A line that runs `totp-guard one-device` decides (docs/second_device.md). pam_google_authenticator does not keep a wrong answer
for a second line, so users with two devices are asked by pam_exec, and both token lines take what it has stored.
"""

from __future__ import annotations

from typing import Iterable, NamedTuple, Sequence

from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.config import Line
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.prover import runs_command, token_line
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.walk import LineTest


class DeviceCase(NamedTuple):
    """A class of users: what the deciding lines return for them (for Verdict's `assume`), and what a login must have met."""

    who: str
    assume: dict[str, Sequence[str]]
    required: list[LineTest]
    token_stored: bool  # a module after the token would take it for the password


def device_cases(lines: Iterable[Line], guard: str | None) -> list[DeviceCase]:
    """None if no line decides."""
    deciding = [line.place for line in lines if guard and runs_command(guard, "one-device")(line)]
    if not guard or not deciding:
        return []
    attempt, claim = runs_command(guard, "attempt"), runs_command(guard, "claim")
    return [
        DeviceCase("one device", dict.fromkeys(deciding, ["success"]), [attempt, _asks, claim], False),
        DeviceCase(
            "a second device",
            dict.fromkeys(deciding, ["system_err"]),
            [attempt, _stores_token(guard), _takes_stored, claim],
            True,
        ),
    ]


def _takes_stored(line: Line) -> bool:
    return token_line()(line) and "use_first_pass" in line.arguments


def _asks(line: Line) -> bool:
    return token_line()(line) and "use_first_pass" not in line.arguments


def _stores_token(guard: str) -> LineTest:
    return lambda line: runs_command(guard, "ask")(line) and "expose_authtok" in line.arguments
