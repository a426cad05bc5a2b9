# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Explores every relevantly different path through an `auth` stack. Private to the collection.

It follows the states that libpam can reach, not the combinations of results. Relevant about a path are its position,
libpam's judgement so far, whether the token was asked for and proven, and what a later line can still read of what was
typed: a small number of states per line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Container, Iterator, NamedTuple, Sequence

from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.config import Line
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.dispatch import State, essence, levels_with_reset, step
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.modules import PASSWORD_MODULES, ModuleOutcome
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.prompts import ANSWERS, Reading, readings, reads_held
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.remembered import REMEMBERED

LineTest = Callable[[Line], bool]


class Point(NamedTuple):
    """The relevant state of a path through the stack."""

    state: State
    asked: bool = False
    proven: int = 0  # how many of `required` have been met
    factors: frozenset[str] = frozenset()
    held: str | None = None  # what was typed at an earlier prompt, as long as a later line may read it


class Visit(NamedTuple):
    """A point, and the step that first led to it."""

    point: Point
    previous: Visit | None
    outcome: ModuleOutcome | None
    reading: Reading | None = None


@dataclass(frozen=True)
class Walker:
    """Explores one stack; each prompt may be answered with each of `answers`."""

    lines: Sequence[Line]
    required: Sequence[LineTest]
    token_modules: Sequence[str]
    answers: Sequence[str] = ANSWERS
    remembering: Container[str] = ()  # the places of lines that let in who has given a token not long ago

    def ends(self, ways: Sequence[Sequence[ModuleOutcome]]) -> list[Visit]:
        """Every distinct end of the stack, given these possible results of its lines."""
        distinct = [_distinct(line, way) for line, way in zip(self.lines, ways)]
        resets = levels_with_reset(self.lines)
        read_later = self._read_later()
        start = Visit(Point(State()), None, None)
        seen, waiting, ends = {start.point}, [start], []
        while waiting:
            visit = waiting.pop()
            position = visit.point.state.position
            if position == len(self.lines):
                ends.append(visit)
                continue
            following = []
            for outcome in distinct[position]:
                point = self._follow(visit.point, outcome)
                there = point.state.position
                point = point._replace(state=essence(point.state, resets[there]))
                for reading in self._readings(visit.point, outcome):
                    point = point._replace(held=reading.held if read_later[there] else None)
                    if point not in seen:
                        seen.add(point)
                        following.append(Visit(point, visit, outcome, reading))
            waiting.extend(reversed(following))
        return ends

    def _readings(self, point: Point, outcome: ModuleOutcome) -> Iterator[Reading]:
        line = self.lines[point.state.position]
        return readings(line, outcome, point.held, self.answers, self.token_modules)

    def _read_later(self) -> list[bool]:
        """For each position, including the end: whether this or a later line reads what was typed before."""
        later = [False]
        for line in reversed(self.lines):
            later.append(later[-1] or reads_held(line, self.token_modules))
        return later[::-1]

    def _follow(self, point: Point, outcome: ModuleOutcome) -> Point:
        line = self.lines[point.state.position]
        proven, factors = point.proven, point.factors
        if outcome.result == "success" and outcome.genuine:
            if proven < len(self.required) and self.required[proven](line):
                proven += 1
            factors |= self._factors(line)
        state = step(self.lines, point.state, outcome.result)
        return Point(state, point.asked or outcome.asks_token, proven, factors)

    def _factors(self, line: Line) -> frozenset[str]:
        if line.module_name in self.token_modules:
            return frozenset(("token",))
        if line.place in self.remembering:
            return frozenset((REMEMBERED,))
        return frozenset(("password",)) if line.module_name in PASSWORD_MODULES else frozenset()


def _distinct(line: Line, ways: Sequence[ModuleOutcome]) -> list[ModuleOutcome]:
    """One result for each different effect it can have."""
    first: dict[tuple[Any, ...], ModuleOutcome] = {}
    for way in ways:
        kind = way.result if way.result in ("success", "incomplete") else "other"
        first.setdefault((line.actions.get(way.result), kind, way.asks_token, way.genuine), way)
    return list(first.values())


def that_succeed(ends: Sequence[Visit]) -> list[Visit]:
    return [end for end in ends if end.point.state.judgement.result == "success"]
