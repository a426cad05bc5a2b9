# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Answers the prompts of one login, or stops at them. Private to the collection."""

from __future__ import annotations

import threading
from typing import Sequence

from ansible_collections.fleetmfa.ssh.plugins.module_utils._misplaced import MASK
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._ssh_totp.answers import PromptAnswers
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._ssh_totp.prompts import PromptKind, PromptRules, shown


class StoppedError(Exception):
    """Raised where a prompt is not answered; `missing` is what would be needed, None if the prompt is unknown."""

    def __init__(self, why: str, missing: PromptKind | None = None):
        super().__init__(why)
        self.missing = missing


class LoginPrompts:
    """`asked` is whether a token was asked for, `seen` are the texts of all prompts, none with an answer in it."""

    def __init__(self, rules: PromptRules, answers: PromptAnswers, has_key: bool, password: str | None):
        self._rules, self._answers, self._has_key = rules, answers, has_key
        self.password = password
        self.stopped = threading.Event()
        self.asked = False
        self.seen: list[str] = []
        self._given: list[str] = []

    def __call__(self, _title: str, _instructions: str, fields: Sequence[tuple[str, bool]]) -> list[str]:
        return [self._answer(prompt) for prompt, _echo in fields]

    def _answer(self, prompt: str) -> str:
        self.seen.append(shown(self._masked(prompt)))
        kind = self._rules.kind_of(prompt)
        if kind is PromptKind.TOKEN:
            self.asked = True
            if not self._has_key:
                raise StoppedError("stopped at the prompt for a token, since no secret is known here", kind)
        if kind is PromptKind.PASSWORD and self.password is None:
            raise StoppedError("a password is asked for, and none was given (password)", kind)
        answer = self._answers(prompt, [], self.stopped)
        if answer is None:
            raise StoppedError(self._masked(self._answers.refusal or "the prompt was not answered"))
        self._given.append(answer)
        return answer

    def _masked(self, text: str) -> str:
        """A host can repeat in a prompt what it was told before."""
        for answer in self._given:
            text = text.replace(answer, MASK) if answer else text
        return text
