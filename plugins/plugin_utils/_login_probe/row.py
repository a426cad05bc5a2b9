# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What a probe has found. Private to the collection."""

from __future__ import annotations

from typing import Any, NamedTuple

EXPECTATIONS = ("asked", "not_asked", "denied")
# The login could not be judged: nobody answers, a host key is wrong, a prompt is unknown. Never what was expected.
ERROR = "error"
RESULTS = (*EXPECTATIONS, ERROR)


class NotJudgedError(Exception):
    """The text is the reason of a row with result `error`, for people to read; never a secret."""


class ProbeStep(NamedTuple):
    """One attempt of one method; `methods` are those that the host takes afterwards."""

    method: str
    outcome: str  # offered, partial, accepted, refused, stopped
    methods: list[str]
    prompts: list[str]


class ProbeVerdict(NamedTuple):
    result: str
    reason: str


class ProbeRow(NamedTuple):
    host: str
    user: str
    expected: str
    result: str
    reason: str
    steps: list[ProbeStep]
    seconds: float

    @property
    def ok(self) -> bool:
        return self.result == self.expected

    def as_dict(self) -> dict[str, Any]:
        return {**self._asdict(), "ok": self.ok, "steps": [step._asdict() for step in self.steps]}
