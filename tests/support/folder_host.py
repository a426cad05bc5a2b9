# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A folder that represents a host: state directory, and the files that a roll-out changes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from ansible_collections.fleetmfa.ssh.plugins.module_utils._rollback.rollout import Rollout
from ansible_collections.fleetmfa.ssh.tests.support.file_access import ACL, extended, one_user_writes

ROLLOUT_ID = "0123456789abcdef"
# So long that no timer ends by itself in a test, however slow the machine; `time_is_up` lets it end.
A_LONG_TIME = 3600
RUN = Path(__file__).with_name("rollout_run.py")
ROOT = os.geteuid() == 0
FOREIGN_UID = 4242 if ROOT else os.geteuid()


class FolderHost:
    """A folder that represents a host: state directory and the files that a roll-out changes."""

    def __init__(self, root: Path, state: Path | None = None):
        self.state, self.etc = state or root / "state", root / "etc"
        (self.etc / "pam.d").mkdir(parents=True)
        (self.etc / "ssh").mkdir()
        self._write(
            "pam.d/sshd", b"old \xff content\n", 0o664, FOREIGN_UID, {ACL: one_user_writes(4444)} if ROOT else {}
        )
        self._write("ssh/99-removed.conf", b"", 0o604, os.geteuid(), {"user.origin": b"etckeeper"})
        self._write("ssh/.00-made.conf.swp", b"an editor's", 0o600, os.geteuid())
        self.before = self.files()
        self.rollout = Rollout(str(self.state))

    def _write(
        self, name: str, content: bytes, mode: int, uid: int, attributes: dict[str, bytes] | None = None
    ) -> None:
        path = self.etc / name
        path.write_bytes(content)
        os.chown(path, uid, -1)
        path.chmod(mode)
        for attribute, value in (attributes or {}).items():
            os.setxattr(path, attribute, value)
        os.utime(path, ns=(1, 1_500_000_000_123_456_789))

    def files(self) -> dict:
        found = {}
        for path in sorted(self.etc.rglob("*")):
            if path.is_file():
                status = path.stat()
                facts = (path.read_bytes(), status.st_mode, status.st_uid, status.st_gid, status.st_mtime_ns)
                found[str(path.relative_to(self.etc))] = (*facts, extended(path))
        return found

    @property
    def is_as_before(self) -> bool:
        return self.files() == self.before

    @property
    def is_applied(self) -> bool:
        return (self.etc / "ssh/00-made.conf").exists() and not (self.etc / "ssh/99-removed.conf").exists()

    def run(self, timeout: int = A_LONG_TIME, kill_at: int = 0) -> subprocess.CompletedProcess:
        command = [sys.executable, str(RUN), str(self.state), str(self.etc), ROLLOUT_ID, str(timeout), str(kill_at)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def timers(self) -> dict[int, list[str]]:
        """The running timers: process id and command line."""
        program = str(self.rollout.folder.program)
        found = {}
        for process in Path("/proc").glob("[0-9]*"):
            try:
                arguments = (process / "cmdline").read_bytes().decode().split("\0")[:-1]
            except OSError:
                continue
            if program in arguments and "--after" in arguments:
                found[int(process.name)] = arguments
        return found

    def time_is_up(self) -> None:
        """Run the timer that the roll-out has started to its end: the same command, with one second left to wait."""
        deadline = time.monotonic() + 300
        # A process that has just been started shows no command line for a moment.
        while self.rollout.folder.armed.exists() and not self.timers():
            assert time.monotonic() < deadline, "armed without a timer"
            time.sleep(0.05)
        for process, arguments in self.timers().items():
            os.kill(process, signal.SIGKILL)
            place = arguments.index("--after") + 1
            subprocess.run([*arguments[:place], "1", *arguments[place + 1 :]], check=True, env={})

    def wait_for_timer(self, seconds: float = 120) -> None:
        deadline = time.monotonic() + seconds
        while self.timers():
            assert time.monotonic() < deadline, "the timer did not end"
            time.sleep(0.1)

    def start_boot(self) -> subprocess.Popen:
        """What the boot unit runs."""
        folder = self.rollout.folder
        command = [sys.executable, "-I", "-S", "-B", str(folder.program), str(folder.path), ROLLOUT_ID, "boot"]
        return subprocess.Popen(command, env={})

    def boot(self) -> int:
        return self.start_boot().wait()
