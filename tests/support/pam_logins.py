# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Logins through the real libpam and the real pam_google_authenticator, each in a separate process, without an sshd."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

from ansible_collections.fleetmfa.ssh.tests.support import libpam

SERVICE = "guarded"
TIMEOUT = 300

_fork = multiprocessing.get_context("fork")


class PamLogin:
    """One login: has_prompt() waits for the prompt, answer() answers it, succeeds() waits for the end."""

    def __init__(
        self, confdir: Path, user: str, environment: tuple[str, ...] = (), service: str = SERVICE, address: str = ""
    ):
        self._pipe, far_end = _fork.Pipe()
        self._process = _fork.Process(
            target=_authenticate, args=(far_end, str(confdir), user, environment, service, address), daemon=True
        )
        self._process.start()
        far_end.close()
        self._result = None

    @property
    def pid(self) -> int:
        return self._process.pid

    def has_prompt(self) -> bool:
        return self._next() == "prompt"

    def answer(self, text: str) -> None:
        self._pipe.send(text)

    def hang_up(self) -> None:
        self._process.kill()
        self._process.join()

    def succeeds(self) -> bool:
        if self._result is None:
            self._next()
        self._process.join(TIMEOUT)
        return self._result == libpam.SUCCESS

    def _next(self):
        if not self._pipe.poll(TIMEOUT):
            raise TimeoutError("the login neither asks nor ends")
        message = self._pipe.recv()
        if message != "prompt":
            self._result = message
        return message


def _authenticate(pipe, confdir: str, user: str, environment: tuple[str, ...], service: str, address: str) -> None:
    def answer() -> str:
        pipe.send("prompt")
        return pipe.recv()

    pipe.send(libpam.call("pam_authenticate", confdir, service, user, answer, environment, address=address))
    os._exit(0)
