# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Decides what to answer to the prompts of one run of ssh, sftp or scp. Private to the collection."""

from __future__ import annotations

import threading
from typing import Callable, NamedTuple

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._ssh_totp.prompts import PromptKind, PromptRules, shown
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._ssh_totp.token_key import TokenKey
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._ssh_totp.used_steps import UsedSteps


class TokenSource(NamedTuple):
    """How to get a token for one host: from a key, or else from the operator at the terminal."""

    key: Callable[[], TokenKey | None]
    operator: Callable[[], str | None]


class PromptAnswers:
    """`refusal` says why a prompt was not answered; `asked` whether a token was given."""

    def __init__(
        self,
        rules: PromptRules,
        password: str | None,
        source: Callable[[bool], TokenSource],
        steps: Callable[[list[str] | None], UsedSteps],
        say: Callable[[str], None],
    ):
        self.refusal: str | None = None
        self.asked = False
        self.given: Callable[[], None] = lambda: None  # called after a token was given to the target
        self._rules, self._password, self._source, self._steps, self._say = rules, password, source, steps, say
        self._answered: set[tuple[str, ...]] = set()

    def __call__(self, prompt: str, asker: list[str], stopped: threading.Event) -> str | None:
        kind = self._rules.kind_of(prompt)
        if kind is PromptKind.HOST_KEY:
            return "no"
        if kind is PromptKind.PASSWORD and self._password is not None:
            return self._password
        try:
            if kind is PromptKind.TOKEN:
                return self._token(jump_command(asker), stopped)
            raise FleetMfaError(_refused(kind, prompt))
        except Exception as error:
            # Whatever it is: this is a thread, and nobody else would learn of it.
            self.refusal = self.refusal or (str(error) if isinstance(error, FleetMfaError) else type(error).__name__)
            return None

    def _token(self, jump: list[str] | None, stopped: threading.Event) -> str | None:
        asker = tuple(jump or ())
        if asker in self._answered:
            raise FleetMfaError("the host asked for a second token in the same login; one was not enough for it")
        self._answered.add(asker)
        source = self._source(jump is not None)
        key = source.key()
        token = source.operator() if key is None else self._unused(key, self._steps(jump), stopped)
        if token is None:
            raise FleetMfaError(
                "the host asks for a token, and there is no secret for this user here: set ansible_totp_secret, or mfa_store "
                "for the key store of the collection"
            )
        if jump is None:
            self.asked = True
            self.given()
        return token

    def _unused(self, key: TokenKey, steps: UsedSteps, stopped: threading.Event) -> str:
        while (step := steps.take(key.period)) is None:
            seconds = steps.free_in(key.period)
            self._say(steps.waiting(seconds))
            if stopped.wait(seconds):
                raise FleetMfaError(
                    "ssh ended while it waited for the next token (LoginGraceTime of the host, or a timeout)"
                )
        return key.token(step)


def jump_command(asker: list[str]) -> list[str] | None:
    """The command of the ssh that asks, without the host behind it, if it is one that leads to a jump host (ssh -W)."""
    for number, word in enumerate(asker):
        if word.startswith("-W"):
            return asker[:number] + asker[number + (2 if word == "-W" else 1) :]
    return None


def _refused(kind: PromptKind, prompt: str) -> str:
    if kind is PromptKind.PASSWORD:
        return f"a password is asked for, and ansible_password is not set. The prompt: {shown(prompt)!r}"
    return f"a prompt that is neither for a token (option totp_prompt) nor for the password was not answered: {shown(prompt)!r}"
