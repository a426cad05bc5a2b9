# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the fleetmfa.ssh authors
"""The user's side of the enrollment door: one request, one answer. Private to the collection."""

from __future__ import annotations

import json
import socket
import time
from typing import Any

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError

DOOR_PATH = "/run/fleetmfa/enroll.sock"
TIMEOUT = 10.0  # seconds; the desk answers in a fraction of one unless another program holds the lock
_LONGEST_ANSWER = 65536
_QUEUE_PAUSE = 0.05


class Refused(Exception):
    """The desk says no; `reason` is one of the words of `_enroll/root/desk.py`."""

    def __init__(self, reason: str, seconds: int = 0):
        super().__init__(reason)
        self.reason, self.seconds = reason, seconds


class Door:
    """Asks the desk, which knows the caller from the kernel; no request names a user."""

    def __init__(self, path: str = DOOR_PATH):
        self._path = path

    def ask(self, request: str, timeout: float = TIMEOUT, **values: str) -> dict[str, Any]:
        """The answer; `Refused` if it is no, FleetMfaError if there is none in time."""
        question = json.dumps({"request": request, **values}).encode("ascii") + b"\n"
        try:
            answer = json.loads(self._exchange(question, timeout))
        except (OSError, ValueError) as error:
            raise FleetMfaError(f"the enrollment service of this host does not answer ({error}); try again") from error
        if "refused" in answer:
            raise Refused(answer["refused"], answer.get("seconds", 0))
        if "failed" in answer:
            raise FleetMfaError(answer["failed"])
        return answer

    def _connect(self, connection: socket.socket, deadline: float) -> None:
        """With a time limit, Python lets the kernel say "queue full" at once instead of waiting for a place in it."""
        while True:
            try:
                return connection.connect(self._path)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(_QUEUE_PAUSE)

    def _exchange(self, question: bytes, timeout: float) -> bytes:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout)
            self._connect(connection, time.monotonic() + timeout)
            connection.sendall(question)
            answer = b""
            while len(answer) < _LONGEST_ANSWER:
                part = connection.recv(4096)
                if not part:
                    break
                answer += part
            return answer
