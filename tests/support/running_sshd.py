# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A real sshd that listens on a free port of the loopback, with a configuration of the test's own."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import time
from pathlib import Path

from ansible_collections.fleetmfa.ssh.tests.support.sshd_host import SshdHost

_START_SECONDS = 120
_LOG_SECONDS = 120
_LISTENING = "Server listening"  # for each address, whenever sshd has read its configuration


class RunningSshd:
    """`config` may contain {port}."""

    def __init__(self, folder: Path, config: str):
        self.host = SshdHost(folder)
        with contextlib.closing(socket.socket()) as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.host.config.write_text(config.format(port=self.port))
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        self._log = folder / "sshd.log"
        command = [str(self.host.sshd), "-D", "-E", str(self._log), "-f", str(self.host.config)]
        self._process = subprocess.Popen(command)
        self._wait_until_it_listens(times=1)

    @property
    def log(self) -> str:
        return self._log.read_text()

    def count_in_log(self, text: str, at_least: int) -> int:
        """What a session of sshd logs may be written after the client knows how its login has ended."""
        deadline = time.monotonic() + _LOG_SECONDS
        while self.log.count(text) < at_least and time.monotonic() < deadline:
            time.sleep(0.05)
        return self.log.count(text)

    def reload(self, config: str) -> None:
        """Takes effect before this returns."""
        self.host.config.write_text(config)
        times = self.log.count(_LISTENING)
        self._process.send_signal(signal.SIGHUP)
        self._wait_until_it_listens(times + config.count("ListenAddress "))

    def _wait_until_it_listens(self, times: int) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not self._log.exists() or self.log.count(_LISTENING) < times:
            if time.monotonic() > deadline:
                raise TimeoutError("sshd does not listen")
            time.sleep(0.05)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()
