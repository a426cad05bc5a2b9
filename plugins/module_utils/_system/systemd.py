# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What a roll-out and its roll-back need from systemd. Private to the collection.

This file also runs without Ansible, inside the roll-back program.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.commands import succeeds

BOOT_UNIT = Path("/etc/systemd/system/fleetmfa-rollback.service")
BOOT_LINK = Path("/etc/systemd/system/multi-user.target.wants/fleetmfa-rollback.service")

_SSHD_UNITS = ("ssh.service", "sshd.service")


def is_running() -> bool:
    """Checked as in sd_booted(3)."""
    return Path("/run/systemd/system").is_dir()


def timer_unit(rollout_id: str) -> str:
    return f"fleetmfa-rollback-{rollout_id}"


def active_sshd_units() -> list[str]:
    return [unit for unit in _SSHD_UNITS if is_running() and succeeds("systemctl", "is-active", unit)]


def start(units: list[str]) -> None:
    """Does nothing to a running unit. Does not wait for it: at boot sshd itself waits for the roll-back."""
    if units:
        succeeds("systemctl", "--no-block", "start", *units)


def disarm(rollout_id: str) -> None:
    """Remove the boot unit and the timer; without an armed roll-out they would do nothing."""
    for path in (BOOT_LINK, BOOT_UNIT):
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
    if is_running():
        succeeds("systemctl", "stop", f"{timer_unit(rollout_id)}.timer")
