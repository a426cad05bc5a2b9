# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Commands as root on a host of the lab, without a login, so that they work whatever sshd and PAM are like.

The engine is asked once for a host: starting `podman exec` for each command took a quarter of the tests' processor time.
"""

from __future__ import annotations

import base64
import json
import subprocess
import threading
from pathlib import Path
from typing import IO, Any, cast

import yaml

from lab.console import LabError

# Runs on the host. Each line is a command; what the command leaves in the background is not waited for, as in `podman exec`.
_SERVANT = """
import base64, json, os, subprocess, sys
for line in sys.stdin:
    given = json.loads(line)
    print("taken", flush=True)
    ends = [os.memfd_create(name) for name in ("stdin", "stdout", "stderr")]
    os.write(ends[0], base64.b64decode(given["stdin"]))
    os.lseek(ends[0], 0, os.SEEK_SET)
    code = subprocess.Popen(given["argv"], **dict(zip(("stdin", "stdout", "stderr"), ends)), start_new_session=True).wait()
    output = []
    for end in ends:
        os.lseek(end, 0, os.SEEK_SET)
        with open(end, "rb") as file:
            output.append(base64.b64encode(file.read()).decode())
    print(json.dumps({"code": code if code >= 0 else 128 - code, "stdout": output[1], "stderr": output[2]}), flush=True)
"""
_HOST_ENDED = 137  # what the engine says of a command whose host was killed


class Root:
    def __init__(self, inventory: Path, name: str):
        values = yaml.safe_load(inventory.read_text(encoding="utf-8"))["all"]
        self.engine: list[str] = values["vars"]["lab_engine"]
        self.container: str = values["hosts"][name]["lab_container"]
        self._idle: list[_Servant] = []
        self._lock = threading.Lock()

    def run(self, *argv: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """May be called by several threads at once."""
        request = json.dumps({"argv": argv, "stdin": base64.b64encode(stdin).decode()}) + "\n"
        while True:
            servant = self._take()
            if servant.takes(request):
                break
        answer = servant.answer()
        if answer is None:
            return subprocess.CompletedProcess(argv, _HOST_ENDED, b"", b"")
        with self._lock:
            self._idle.append(servant)
        stdout, stderr = (base64.b64decode(answer[name]) for name in ("stdout", "stderr"))
        return subprocess.CompletedProcess(argv, answer["code"], stdout, stderr)

    def output(self, script: str) -> str:
        """What a shell script prints. Raises LabError if a command of it fails."""
        done = self.run("sh", "-ec", script)
        if done.returncode:
            raise LabError(f"{self.container}: {script}\n{done.stdout.decode()}{done.stderr.decode()}")
        return done.stdout.decode()

    def _take(self) -> _Servant:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return _Servant([*self.engine, "exec", "-i", self.container, "python3", "-I", "-c", _SERVANT])


class _Servant:
    """A process on the host that runs one command after another, until the host or the test ends."""

    def __init__(self, command: list[str]):
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._stdin, self._stdout = cast("IO[str]", process.stdin), cast("IO[str]", process.stdout)
        self._is_new = True

    def takes(self, request: str) -> bool:
        """Whether it still lives; one that was just started must."""
        try:
            self._stdin.write(request)
            self._stdin.flush()
            taken = self._stdout.readline() == "taken\n"
        except BrokenPipeError:
            taken = False
        if self._is_new and not taken:
            raise LabError("no command can be run on the host; is it running?")
        self._is_new = False
        return taken

    def answer(self) -> dict[str, Any] | None:
        """None if the host ended meanwhile."""
        line = self._stdout.readline()
        answer: dict[str, Any] | None = json.loads(line) if line else None
        return answer
