# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The user's side of the enrollment door: one request, one answer. Private to the collection."""

from __future__ import annotations

import json
import socket
import time
from typing import Any

from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.protocol import (
    LONGEST_ANSWER,
    SOCKET,
    NewCodes,
    Reason,
    ShownKey,
    Status,
    Validated,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError

TIMEOUT = 10.0  # seconds; the desk answers in a fraction of that unless another program holds the lock
_QUEUE_PAUSE = 0.05


class Refused(Exception):
    """The desk refuses the request."""

    def __init__(self, reason: Reason, seconds: int = 0):
        super().__init__(reason)
        self.reason, self.seconds = reason, seconds


class Door:
    """Sends requests to the desk. Each raises `Refused` if it is refused, FleetMfaError if there is no answer in
    time."""

    def __init__(self, path: str = SOCKET):
        self._path = path

    def status(self, timeout: float = TIMEOUT) -> Status:
        answer: Status = self._ask("status", timeout)
        return answer

    def ready(self) -> None:
        """Raises FleetMfaError if the user could not log in any more after enrolling; the message says what to do."""
        self._ask("ready")

    def key(self) -> ShownKey:
        """The pending key, generated now if there is none."""
        answer: ShownKey = self._ask("key")
        return answer

    def new_key(self, token: str) -> ShownKey:
        """The pending key that will replace the validated one, for a token or a recovery code of the validated one."""
        answer: ShownKey = self._ask("new_key", token=token)
        return answer

    def first(self, token: str) -> None:
        """Checks the first token before the second is available."""
        self._ask("first", token=token)

    def validate(self, first: str, second: str) -> Validated:
        answer: Validated = self._ask("validate", first=first, second=second)
        return answer

    def recovery_codes(self, token: str) -> list[str]:
        """New ones replacing the old ones."""
        answer: NewCodes = self._ask("recovery_codes", token=token)
        return answer["recovery_codes"]

    def forget(self) -> None:
        """Each login asks for a token again."""
        self._ask("forget")

    def seen(self) -> None:
        """The user has been told what `displaced` in the status says."""
        self._ask("seen")

    def _ask(self, request: str, timeout: float = TIMEOUT, **values: str) -> Any:
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
        """If a timeout is set, Python gets "queue full" from the kernel immediately instead of waiting for a place in
        the queue."""
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
            while len(answer) < LONGEST_ANSWER:
                part = connection.recv(4096)
                if not part:
                    break
                answer += part
            return answer
