# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""SSH logins with some of a user's factors: by any way that sshd offers, or exactly as a verdict's steps say."""

from __future__ import annotations

import itertools
import os
import socket
import time
from typing import Callable, Mapping, NamedTuple, Sequence

import paramiko

from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.prompts import BOTH, OTHER, PADDED, PASSWORD, TOKEN

SSH_KEY = "SSH key"
FACTORS = (SSH_KEY, PASSWORD, TOKEN)
_SECONDS = 300  # for anything that sshd answers
_TOKEN_PROMPTS = ("Verification code", "One-time password")


class Step(NamedTuple):
    """One method, with the answer of method `password` and what answers the prompts of `keyboard-interactive`."""

    method: str
    answer: str
    answer_prompt: Callable[[str], str]


class Result(NamedTuple):
    """`offered` are the methods that sshd wants next."""

    is_in: bool = False
    offered: Sequence[str] = ()


class FactorLogins:
    """`typed` is what each of the answers of a verdict is typed as."""

    def __init__(self, user: str, port: int, key_file: str, typed: Callable[[], Mapping[str, str]]):
        self._user, self._port, self._typed = user, port, typed
        self._key = paramiko.Ed25519Key.from_private_key_file(key_file)

    def get_in(self, factors: frozenset[str]) -> bool:
        waiting: list[tuple[tuple[Step, ...], Sequence[str]]] = [((), self._log_in(()).offered)]
        while waiting:
            done, offered = waiting.pop()
            for step in (step for method in offered for step in _steps(method, factors)):
                result = self._log_in((*done, step))
                if result.is_in:
                    return True
                if result.offered:
                    waiting.append(((*done, step), result.offered))
        return False

    def replay(self, shown: Sequence[Mapping[str, str]]) -> bool:
        """Whether these steps of a verdict let the user in, with exactly the prompts that they tell."""
        prompts = [step for step in shown if step["method"] == "keyboard-interactive" and step["prompt"]]

        def answer(prompt: str) -> str:
            expected = prompts.pop(0)
            assert prompt.startswith(expected["prompt"].rstrip(": ")), (prompt, expected)
            return expected["answer"]

        steps = []
        for method, group in itertools.groupby(shown, key=lambda step: step["method"]):
            if method not in ("connect", "account"):
                steps.append(Step(method, next((step["answer"] for step in group if step["answer"]), OTHER), answer))
        return self._log_in(steps).is_in and not prompts

    def _log_in(self, steps: Sequence[Step]) -> Result:
        threads = _threads()
        try:
            return self._connected(steps)
        finally:
            _wait_until(lambda: _threads() <= threads)

    def _connected(self, steps: Sequence[Step]) -> Result:
        with socket.create_connection(("127.0.0.1", self._port), timeout=_SECONDS) as connection:
            transport = paramiko.Transport(connection)
            transport.auth_timeout = transport.banner_timeout = _SECONDS
            try:
                transport.start_client(timeout=_SECONDS)
                return self._authenticated(transport, steps)
            finally:
                transport.close()

    def _authenticated(self, transport: paramiko.Transport, steps: Sequence[Step]) -> Result:
        try:
            offered = _offered(transport, self._user) if not steps else []
            for step in steps:
                offered = self._authenticate(transport, step)
        except paramiko.AuthenticationException:
            return Result()
        return Result(offered=offered) if offered or not steps else Result(_has_session(transport))

    def _authenticate(self, transport: paramiko.Transport, step: Step) -> Sequence[str]:
        typed = self._typed()
        if step.method == "publickey":
            return transport.auth_publickey(self._user, self._key)
        if step.method == "password":
            return transport.auth_password(self._user, typed[step.answer], fallback=False)
        return transport.auth_interactive(
            self._user, lambda _title, _text, prompts: [typed[step.answer_prompt(prompt)] for prompt, _echo in prompts]
        )


def _threads() -> int:
    """Those of the kernel: one that Python has joined may take a moment to end, and a process with a second thread cannot
    leave the private /etc of a test."""
    return len(os.listdir("/proc/self/task"))


def _wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _SECONDS
    while not holds():
        assert time.monotonic() < deadline, "a thread of paramiko does not end"
        time.sleep(0.001)


def _offered(transport: paramiko.Transport, user: str) -> Sequence[str]:
    try:
        transport.auth_none(user)
    except paramiko.BadAuthenticationType as error:
        return error.allowed_types
    raise AssertionError("sshd lets everybody in")


def _has_session(transport: paramiko.Transport) -> bool:
    """sshd may accept a login and end it: the account, the credentials or the session may be denied."""
    try:
        channel = transport.open_session(timeout=_SECONDS)
        channel.settimeout(_SECONDS)
        channel.exec_command("echo in")
        return channel.makefile().read() == b"in\n"
    except (paramiko.SSHException, EOFError, OSError):
        return False


def _steps(method: str, factors: frozenset[str]) -> list[Step]:
    """Everything that is worth trying with these factors."""
    if method == "publickey":
        answers = [SSH_KEY] if SSH_KEY in factors else []
    elif method == "password":
        of_password = [PASSWORD, PADDED] if PASSWORD in factors else []
        both = [BOTH] if {PASSWORD, TOKEN} <= factors else []
        answers = of_password + [TOKEN] * (TOKEN in factors) + both or [OTHER]
    else:
        answers = [""]
    return [Step(method, answer, lambda prompt: _best_answer(prompt, factors)) for answer in answers]


def _best_answer(prompt: str, factors: frozenset[str]) -> str:
    if prompt.startswith("Password & verification code") and {PASSWORD, TOKEN} <= factors:
        return BOTH
    wanted = TOKEN if prompt.startswith(_TOKEN_PROMPTS) else PASSWORD
    return wanted if wanted in factors else OTHER
