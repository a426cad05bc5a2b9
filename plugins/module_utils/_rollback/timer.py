# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Starts what restores the old configuration if nobody confirms: a timer, and a unit for the next boot. Private.

Both run one program that requires only Python: an archive of the collection's files that are needed for a restore.
"""

from __future__ import annotations

import os
import re
import sys

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._program import build_program
from ansible_collections.fleetmfa.ssh.plugins.module_utils._rollback.folder import RolloutFolder
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system import systemd
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.commands import start_detached, succeeds
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.files import sync_folder, write_file

# Before sshd, because a host that boots with an unconfirmed configuration may let nobody in. Not before ssh.socket, which
# starts earlier than any normal unit; its service waits for us anyway.
_BOOT_UNIT_TEXT = """\
# Written by fleetmfa.ssh.totp_rollout, and removed when the roll-out is confirmed or rolled back.
[Unit]
Description=Roll back an SSH configuration that was not confirmed
ConditionPathExists={armed}
RequiresMountsFor={folder} /etc/ssh /etc/pam.d
Before=ssh.service sshd.service

[Service]
Type=oneshot
ExecStart={command}
TimeoutStartSec=60
"""


def prepare(folder: RolloutFolder) -> None:
    """Write the roll-back program and check that it starts, so that nothing is changed on a host that cannot run it."""
    write_file(str(folder.program), build_program("_rollback.program"), 0o600)
    if not succeeds(*_command(folder, "--check")):
        raise FleetMfaError(
            f"the roll-back program {folder.program} does not start with {os.path.realpath(sys.executable)}"
        )


def start(folder: RolloutFolder, rollout_id: str, seconds: int) -> str:
    """Start the timer. Returns V(systemd), or V(process) if systemd is not running or refuses."""
    if systemd.is_running():
        _arm_next_boot(folder, rollout_id)
        timer = ["systemd-run", f"--unit={systemd.timer_unit(rollout_id)}", f"--on-active={seconds}"]
        timer += ["--timer-property=AccuracySec=1s", "--collect", "--quiet"]
        timer += ["--description=Roll back an SSH configuration that was not confirmed"]
        if succeeds(*timer, *_command(folder, rollout_id, "timer")):
            return "systemd"
    start_detached(*_command(folder, rollout_id, "timer", "--after", str(seconds)))
    return "process"


def _command(folder: RolloutFolder, *arguments: str) -> list[str]:
    """Isolated: no environment, no site-packages, no byte code written; uses the real interpreter, not a virtual
    environment's."""
    if not re.fullmatch(r"[\w/.+-]+", str(folder.path)):
        raise FleetMfaError(
            f"option 'state_dir': {str(folder.path.parent)!r} has characters with a special meaning in a systemd unit"
        )
    interpreter = os.path.realpath(sys.executable)
    return [interpreter, "-I", "-S", "-B", str(folder.program), str(folder.path), *arguments]


def _arm_next_boot(folder: RolloutFolder, rollout_id: str) -> None:
    """A transient timer does not survive a reboot. At the next boot, systemd finds the unit by its files alone."""
    command = " ".join(_command(folder, rollout_id, "boot"))
    text = _BOOT_UNIT_TEXT.format(armed=folder.armed, folder=folder.path, command=command)
    write_file(str(systemd.BOOT_UNIT), text.encode(), 0o644)
    systemd.BOOT_LINK.parent.mkdir(exist_ok=True)
    if not systemd.BOOT_LINK.is_symlink():
        systemd.BOOT_LINK.symlink_to(systemd.BOOT_UNIT)
    sync_folder(systemd.BOOT_UNIT.parent)
    sync_folder(systemd.BOOT_LINK.parent)
