# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Not a test: one roll-out of three files in a process of its own, which SIGKILLs itself before its KILL_AT-th step.

A step is a call that changes something outside of the process. KILL_AT 0 is never, and the number of steps is printed.

    rollout_run.py STATE_DIR ETC ROLLOUT_ID TIMEOUT KILL_AT
"""

from __future__ import annotations

import io
import os
import signal
import sys

from ansible_collections.fleetmfa.ssh.plugins.module_utils._rollback.rollout import Rollout
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system import systemd
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.files import FileChange

STEPS = {
    "open",
    "write",
    "flush",
    "close",
    "fsync",
    "rename",
    "replace",
    "unlink",
    "link",
    "mkdir",
    "fchmod",
    "fchown",
    "chmod",
    "utime",
    "setxattr",
    "removexattr",
}
# Not waitpid: how often a process is asked whether it has ended depends on the speed of the machine.
STEPS |= {"fork_exec"}
IN_MEMORY = (str, io.BytesIO, io.StringIO)


def planned(etc: str) -> list[FileChange]:
    """One file changed, one made, one removed."""
    return [
        FileChange(f"{etc}/pam.d/sshd", b"new content\n"),
        FileChange(f"{etc}/ssh/00-made.conf", b"made\n"),
        FileChange(f"{etc}/ssh/99-removed.conf", None),
    ]


class Killer:
    """A profile function that counts the steps and dies before the chosen one."""

    def __init__(self, kill_at: int):
        self.steps, self.kill_at = 0, kill_at

    def __call__(self, frame, event, called) -> None:
        if event != "c_call" or called.__name__ not in STEPS or isinstance(called.__self__, IN_MEMORY):
            return
        self.steps += 1
        if self.steps == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    state_dir, etc, rollout_id, timeout, kill_at = sys.argv[1:]
    systemd.is_running = lambda: False  # the timer of a developer's own machine is none of a unit test's business
    rollout = Rollout(state_dir)
    killer = Killer(int(kill_at))
    with rollout.lock():
        changes = planned(etc)
        sys.setprofile(killer)
        rollout.start(rollout_id, changes, int(timeout), sshd=None)
        sys.setprofile(None)
    print(killer.steps)


if __name__ == "__main__":
    main()
