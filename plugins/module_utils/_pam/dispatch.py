# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""How libpam combines the results of a stack's lines. Private to the collection.

Modelled on _pam_dispatch_aux() of Linux-PAM, and compared with the real one by tests/differential. libpam keeps an
*impression* of the stack and a *status*: `ok` makes the impression positive and uses the line's result as status, `bad`
makes it negative and uses the first bad result, `reset` restores what they were when the substack began, and a jump
changes neither. Success is a positive impression with status `success`, so a stack in which no line succeeds denies.

pam_setcred() runs the same lines. In the original, but not in Debian's libpam, a jump also counts as `ok` there.
"""

from __future__ import annotations

from typing import Callable, NamedTuple, Sequence

from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.config import Line

UNDECIDED, POSITIVE, NEGATIVE = "undecided", "positive", "negative"
MUST_FAIL = "perm_denied"


class Judgement(NamedTuple):
    impression: str = UNDECIDED
    status: str = MUST_FAIL

    @property
    def result(self) -> str:
        """What the application gets if the stack ends here."""
        return MUST_FAIL if self.status == "success" and self.impression != POSITIVE else self.status


class State(NamedTuple):
    """libpam's state between two lines; `saved` has the judgement at the start of each substack it is in."""

    position: int = 0
    level: int = 0
    judgement: Judgement = Judgement()
    saved: tuple[Judgement, ...] = ()


def step(lines: Sequence[Line], state: State, result: str, jump_is_ok: bool = False) -> State:
    """The state after the line at `state.position` returned `result`; a line that runs no module ignores `result`."""
    position, line = state.position, lines[state.position]
    judgement, saved = state.judgement, state.saved[: line.level]
    if state.level < line.level:
        saved = (*state.saved[: line.level - 1], judgement)
    if line.kind == "substack":
        return State(position + 1, line.level, judgement, saved)
    if result == "incomplete":
        return State(len(lines), line.level, Judgement(NEGATIVE, result), ())

    action = line.actions[result]
    if isinstance(action, int):
        position, left = _skip(lines, position, action)
        if jump_is_ok:
            judgement = _approve(judgement, result)
        if left:
            judgement = Judgement(NEGATIVE, MUST_FAIL)
    elif action == "reset":
        judgement = saved[-1] if saved else Judgement()
    elif action in ("ok", "done"):
        judgement = _approve(judgement, result)
        if action == "done" and judgement.impression == POSITIVE:
            position, _left = _skip(lines, position, len(lines))
    elif action in ("bad", "die"):
        judgement = _object(judgement, result)
        if action == "die":
            position, _left = _skip(lines, position, len(lines))
    return State(position + 1, line.level, judgement, saved)


def fixed_result(line: Line) -> str | None:
    """The result of a line that runs no module."""
    return {"must_fail": MUST_FAIL, "substack": "ignore"}.get(line.kind)


def run(lines: Sequence[Line], result_of: Callable[[Line], str], jump_is_ok: bool = False) -> str:
    """What the application gets if the module of each line returns `result_of(line)`."""
    state = State()
    while state.position < len(lines):
        line = lines[state.position]
        state = step(lines, state, fixed_result(line) or result_of(line), jump_is_ok)
    return state.judgement.result


def levels_with_reset(lines: Sequence[Line]) -> list[frozenset[int]]:
    """For each position, including the end: the levels that this or a later line can still reset."""
    levels: list[frozenset[int]] = [frozenset()]
    for line in reversed(lines):
        own = {line.level} if "reset" in line.actions.values() else set()
        levels.append(frozenset(level for level in levels[-1] if level <= line.level) | own)
    return levels[::-1]


def essence(state: State, levels: frozenset[int]) -> State:
    """The state without what makes no difference any more: which failure it is, and saved judgements that are never
    restored."""
    saved = tuple(
        _essence(judgement) if level in levels else Judgement() for level, judgement in enumerate(state.saved, 1)
    )
    return state._replace(judgement=_essence(state.judgement), saved=saved)


def _essence(judgement: Judgement) -> Judgement:
    if judgement.impression == UNDECIDED or judgement.status in ("success", "incomplete"):
        return judgement
    return judgement._replace(status=MUST_FAIL)


def _approve(judgement: Judgement, result: str) -> Judgement:
    if judgement.impression == UNDECIDED or judgement == (POSITIVE, "success"):
        return Judgement(POSITIVE, result)
    return judgement


def _object(judgement: Judgement, result: str) -> Judgement:
    if judgement.impression == NEGATIVE:
        return judgement
    return Judgement(NEGATIVE, MUST_FAIL if result == "ignore" else result)


def _skip(lines: Sequence[Line], position: int, count: int) -> tuple[int, int]:
    """The last of `count` lines skipped inside this (sub)stack, and how many were missing; a substack counts as one."""
    level = lines[position].level
    while count and position + 1 < len(lines) and lines[position + 1].level >= level:
        position += 1
        while position + 1 < len(lines) and lines[position + 1].level > level:
            position += 1
        count -= 1
    return position, count
