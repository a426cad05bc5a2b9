# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A run whose controller loses its power: every process of it ends at the same moment, and none can clean up."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import uuid
from collections.abc import Sequence
from pathlib import Path

_MARK = "FLEETMFA_TEST_RUN"


class KilledRun:
    def __init__(self, command: Sequence[str], environment: dict[str, str], log: Path):
        # Ansible's workers and ssh's masters are in sessions of their own, but all of them inherit the environment.
        self._mark = f"{_MARK}={uuid.uuid4()}".encode()
        name, _equals, value = self._mark.decode().partition("=")
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                command, env={**environment, name: value}, stdout=output, stderr=output, stdin=subprocess.DEVNULL
            )

    def ends_within(self, seconds: float) -> bool:
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self) -> None:
        while found := self._processes():
            for process in found:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            self._process.poll()

    def _processes(self) -> list[int]:
        return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit() and self._is_part(entry)]

    def _is_part(self, process: Path) -> bool:
        try:
            return self._mark in (process / "environ").read_bytes().split(b"\0")
        except OSError:
            return False
