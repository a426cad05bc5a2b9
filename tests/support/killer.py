# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A process that kills itself with SIGKILL before a chosen step: wherever a program can die, without relying on a
clock."""

from __future__ import annotations

import io
import os
import signal
import sys
from contextlib import contextmanager
from typing import Iterator

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

    @contextmanager
    def watching(self) -> Iterator[None]:
        sys.setprofile(self)
        try:
            yield
        finally:
            sys.setprofile(None)
