# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What a second device requires of the other variables of role mfa (docs/second_device.md). Private to the collection."""

from __future__ import annotations

from typing import Any, Iterable, Iterator, Mapping

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.second_keys import FIRST_DEVICE, check_device_name


def check_device(entry: Mapping[str, Any]) -> None:
    """The message does not contain the value, which may be a secret in the wrong place."""
    device = entry.get("device")
    if device is None:
        return
    if not isinstance(device, str):
        raise FleetMfaError("device: must be a string; quote it")
    check_device_name(device)


def check_any_device(device: Any) -> None:
    """The name of a second device, or `first`; the message does not contain it."""
    if not isinstance(device, str):
        raise FleetMfaError("must be the name of a device; leave the variable out to mean the person")
    if device != FIRST_DEVICE:
        check_device_name(device)


def second_device_problems(settings: Mapping[str, Any], keys: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """What is wrong with settings that are right each on its own; names are without mfa_."""
    numbers = [str(number) for number, entry in enumerate(keys, 1) if entry.get("device")]
    if not settings.get("second_device"):
        if numbers:
            yield (
                f"mfa_keys: entry {', '.join(numbers[:10])} is for a second device, which hosts accept only with "
                "mfa_second_device: true"
            )
        return
    if not settings.get("guard", True):
        yield "mfa_second_device: needs mfa_guard: true, since it is the guard that knows who has a second device"
    if settings.get("factors", "publickey+totp") != "publickey+totp":
        yield (
            "mfa_second_device: needs mfa_factors: publickey+totp, since PAM would pass the token on as the password"
        )
