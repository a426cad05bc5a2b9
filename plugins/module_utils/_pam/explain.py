# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Explains a proof about a PAM stack line by line, for people. Private to the collection."""

from __future__ import annotations

from typing import Sequence, TypedDict

from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.config import Line
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.dispatch import NEGATIVE, State
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.modules import ModuleOutcome
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.walk import Visit, that_succeed


class StepReport(TypedDict):
    """One line of a counterexample: what it asked and was answered, what its module returned, and what that did."""

    file: str
    line: int
    module: str
    prompt: str
    answer: str
    returned: str
    effect: str


class LineReport(TypedDict):
    """One line of a stack and what its module can return."""

    file: str
    line: int
    level: int
    control: str
    module: str
    arguments: list[str]
    results: list[str]
    problem: str


def counterexample(lines: Sequence[Line], ends: Sequence[Visit], bad: Sequence[Visit]) -> list[StepReport]:
    """A way in without the token or, if there is no way in at all, the one that came closest."""
    if bad:
        return _steps(lines, bad[0])
    if that_succeed(ends) or not ends:
        return []
    return _steps(lines, max(ends, key=lambda end: end.point.proven))


def in_words(steps: Sequence[StepReport]) -> str:
    """One step per line."""
    return "\n".join("{file}:{line}: {module} returned {returned}: {effect}".format(**step) for step in steps)


def _steps(lines: Sequence[Line], end: Visit) -> list[StepReport]:
    steps: list[StepReport] = []
    visit = end
    while visit.previous is not None and visit.outcome is not None:
        line = lines[visit.previous.point.state.position]
        if line.kind != "substack":
            steps.append(
                {
                    "file": line.file,
                    "line": line.line,
                    "module": line.module or line.problem,
                    "prompt": visit.reading.prompt if visit.reading else "",
                    "answer": (visit.reading and visit.reading.answer) or "",
                    "returned": visit.outcome.result,
                    "effect": _effect(lines, visit.previous.point.state, visit.outcome, visit.point.state),
                }
            )
        visit = visit.previous
    return steps[::-1]


_EFFECTS = {
    "ok": "counts as success",
    "done": "counts as success and ends the stack",
    "bad": "counts as failure",
    "die": "counts as failure and ends the stack",
    "ignore": "changes nothing",
    "reset": "forgets the results of this stack so far",
}


def _effect(lines: Sequence[Line], before: State, outcome: ModuleOutcome, state: State) -> str:
    """What the line at `before` did with `outcome`, which led to `state`."""
    if outcome.result == "incomplete":
        return "stops here, and the login fails"
    line = lines[before.position]
    action = line.actions[outcome.result]
    if not isinstance(action, int):
        decided = before.judgement.impression == NEGATIVE
        effect = (
            "changes nothing, since the stack has already failed"
            if decided and action in ("ok", "done")
            else _EFFECTS[action]
        )
        if line.level and action in ("done", "die"):
            effect = effect.replace("the stack", "this substack")
    elif state.judgement.impression == NEGATIVE != before.judgement.impression:
        effect = f"jumps {action} lines, more than there are, which counts as failure"
    else:
        effect = f"skips {action} line{'s' if action > 1 else ''}"
    if not outcome.genuine:
        effect = f"without a token; {effect}"
    if state.position == len(lines):
        effect += f"; the stack ends with {'success' if state.judgement.result == 'success' else 'a denial'}"
    return effect


def describe(line: Line, ways: Sequence[ModuleOutcome]) -> LineReport:
    return {
        "file": line.file,
        "line": line.line,
        "level": line.level,
        "control": line.control,
        "module": line.module,
        "arguments": list(line.arguments),
        "results": [] if line.kind == "substack" else sorted({way.result for way in ways}),
        "problem": line.problem,
    }
