# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the fleetmfa.ssh authors
"""The PAM prover: what the `auth` stack of a service can do, whatever its modules return. Private to the collection.

It walks every state libpam can reach, not every combination of results: what counts of a way through the stack is
where it stands, what libpam thinks of it so far, and whether the token was asked for and proven. That is a small
number per line. A proof says "can": a result that is possible is taken to happen, and two lines are never taken to
agree (two gates on one unknown group may differ), so it errs towards finding a way in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Mapping, NamedTuple, Sequence

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.config import RETURN_VALUES, Line, PamConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.dispatch import (
    NEGATIVE,
    State,
    essence,
    fixed_result,
    levels_with_reset,
    step,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.modules import (
    PASSWORD_MODULES,
    TOKEN_MODULES,
    Outcome,
    command_of,
    is_known,
    outcomes,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.subject import Subject

ANYBODY = Subject()
NEVER, SOMETIMES, ALWAYS = "never", "sometimes", "always"

LineTest = Callable[[Line], bool]


def token_line(token_modules: Sequence[str] = TOKEN_MODULES) -> LineTest:
    return lambda line: line.module_name in token_modules


def has_so_suffix(module: str) -> bool:
    """Where one cannot look: libpam adds no suffix, so a module named without one is missing."""
    return module.endswith(".so")


def runs_command(*command: str) -> LineTest:
    """Is it a pam_exec line that runs this program, with at least these arguments first?"""
    return lambda line: (
        line.module_name == "pam_exec.so" and tuple(command_of(line.arguments)[: len(command)]) == command
    )


@dataclass(frozen=True)
class Verdict:
    """The answers for one service and one subject; `problem` is set where libpam does not start the service at all."""

    service: str
    can_succeed: bool
    can_succeed_without_token: bool
    token_asked: str
    token_asked_when_it_succeeds: str
    can_succeed_if_token_module_missing: bool
    ways_in: list[list[str]]
    counterexample: list[dict[str, Any]]
    lines: list[dict[str, Any]]
    unknown_modules: list[str]
    problem: str

    def explain(self) -> str:
        """The counterexample as text, a line each."""
        if self.problem:
            return self.problem
        return "\n".join(
            "{file}:{line}: {module} returned {returned}: {effect}".format(**entry) for entry in self.counterexample
        )


def prove(
    config: PamConfig,
    service: str,
    subject: Subject = ANYBODY,
    token_modules: Sequence[str] = TOKEN_MODULES,
    assume: Mapping[str, Sequence[str]] | None = None,
    required: Sequence[LineTest] | None = None,
    is_installed: Callable[[str], object] = has_so_suffix,
) -> Verdict:
    """What the stack of `service` can do for `subject`.

    `required`: what a login needs to count as one with a token, each a test of lines of which one has to return success,
    in this order; by default a token module. `assume`: `file:line` to the results that line may have.
    """
    stack = config.auth_stack(service)
    lines = stack.lines
    required = [token_line(token_modules)] if required is None else required
    ways = [_ways(line, subject, service, token_modules, is_installed) for line in lines]
    _apply_assumptions(assume or {}, lines, ways, token_modules)
    without_module = [
        [Outcome("module_unknown")] if line.module_name in token_modules else way for line, way in zip(lines, ways)
    ]
    walker = _Walker(lines, required, token_modules)
    ends = [] if stack.problem else walker.ends(ways)
    successes = _successes(ends)
    bypasses = [end for end in successes if end.point.proven < len(required)]
    open_ends = [] if stack.problem else _successes(walker.ends(without_module))
    return Verdict(
        service=service,
        can_succeed=bool(successes),
        can_succeed_without_token=bool(bypasses),
        token_asked=_how_often(ends),
        token_asked_when_it_succeeds=_how_often(successes),
        can_succeed_if_token_module_missing=bool(open_ends),
        ways_in=sorted(sorted(factors) for factors in {end.point.factors for end in successes}),
        counterexample=_counterexample(lines, ends, bypasses or (open_ends if successes else [])),
        lines=[_describe(line, way) for line, way in zip(lines, ways)],
        unknown_modules=_unknown_modules(lines, token_modules, is_installed),
        problem=stack.problem,
    )


def _ways(
    line: Line,
    subject: Subject,
    service: str,
    token_modules: Sequence[str],
    is_installed: Callable[[str], object],
) -> list[Outcome]:
    """How this line may go, the likeliest first."""
    fixed = fixed_result(line)
    if fixed is not None:
        return [Outcome(fixed)]
    if not is_installed(line.module):
        return [Outcome("module_unknown")]
    ways = set(outcomes(line, subject, service, token_modules))
    return sorted(ways, key=lambda way: (_likelihood(way.result), not way.genuine, not way.asks_token))


def _likelihood(result: str) -> int:
    return {"success": -2, "auth_err": -1}.get(result, RETURN_VALUES.index(result))


def _apply_assumptions(
    assume: Mapping[str, Sequence[str]], lines: Sequence[Line], ways: list[list[Outcome]], token_modules: Sequence[str]
) -> None:
    for place, results in assume.items():
        if not isinstance(results, list) or not results or set(map(str, results)) - set(RETURN_VALUES):
            raise FleetMfaError(
                f"option 'assume': {place} needs a list of results of PAM modules, such as [success, auth_err]; got {results}"
            )
        matching = [index for index, line in enumerate(lines) if _is_at(line, place) and line.kind == "module"]
        if not matching:
            raise FleetMfaError(f"option 'assume': there is no auth line of a module at {place}; 'lines' lists them")
        for index in matching:
            is_token = lines[index].module_name in token_modules
            possible = [way for way in ways[index] if way.result in results]
            others = [result for result in results if result not in {way.result for way in possible}]
            ways[index] = possible + [Outcome(result, asks_token=is_token) for result in others]


def _is_at(line: Line, place: str) -> bool:
    return line.place == place or line.place.endswith(f"/{place}")


class _Point(NamedTuple):
    """What counts of a way through the stack so far."""

    state: State
    asked: bool = False
    proven: int = 0  # how many of `required` have said success
    factors: frozenset[str] = frozenset()


class _Visit(NamedTuple):
    """A point, and the step that led to it first."""

    point: _Point
    previous: _Visit | None
    outcome: Outcome | None


@dataclass(frozen=True)
class _Walker:
    """Explores one stack."""

    lines: Sequence[Line]
    required: Sequence[LineTest]
    token_modules: Sequence[str]

    def ends(self, ways: Sequence[Sequence[Outcome]]) -> list[_Visit]:
        """Every distinct end of the stack, for lines that may go these ways."""
        distinct = [_distinct(line, way) for line, way in zip(self.lines, ways)]
        resets = levels_with_reset(self.lines)
        start = _Visit(_Point(State()), None, None)
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
                point = point._replace(state=essence(point.state, resets[point.state.position]))
                if point not in seen:
                    seen.add(point)
                    following.append(_Visit(point, visit, outcome))
            waiting.extend(reversed(following))
        return ends

    def _follow(self, point: _Point, outcome: Outcome) -> _Point:
        line = self.lines[point.state.position]
        proven, factors = point.proven, point.factors
        if outcome.result == "success" and outcome.genuine:
            if proven < len(self.required) and self.required[proven](line):
                proven += 1
            factors |= self._factors(line)
        state = step(self.lines, point.state, outcome.result)
        return _Point(state, point.asked or outcome.asks_token, proven, factors)

    def _factors(self, line: Line) -> frozenset[str]:
        if line.module_name in self.token_modules:
            return frozenset(("token",))
        return frozenset(("password",)) if line.module_name in PASSWORD_MODULES else frozenset()


def _distinct(line: Line, ways: Sequence[Outcome]) -> list[Outcome]:
    """One way for each difference it can make."""
    first: dict[tuple[Any, ...], Outcome] = {}
    for way in ways:
        kind = way.result if way.result in ("success", "incomplete") else "other"
        first.setdefault((line.actions.get(way.result), kind, way.asks_token, way.genuine), way)
    return list(first.values())


def _how_often(ends: Sequence[_Visit]) -> str:
    asked = {end.point.asked for end in ends}
    return SOMETIMES if len(asked) == 2 else ALWAYS if True in asked else NEVER


def _successes(ends: Sequence[_Visit]) -> list[_Visit]:
    return [end for end in ends if end.point.state.judgement.result == "success"]


def _counterexample(lines: Sequence[Line], ends: Sequence[_Visit], bad: Sequence[_Visit]) -> list[dict[str, Any]]:
    """A way in without the token, or, where there is no way in at all, the one that came nearest."""
    if bad:
        return _steps(lines, bad[0])
    if _successes(ends) or not ends:
        return []
    return _steps(lines, max(ends, key=lambda end: end.point.proven))


def _steps(lines: Sequence[Line], end: _Visit) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = []
    visit = end
    while visit.previous is not None and visit.outcome is not None:
        line = lines[visit.previous.point.state.position]
        if line.kind != "substack":
            steps.append(
                {
                    "file": line.file,
                    "line": line.line,
                    "module": line.module or line.problem,
                    "returned": visit.outcome.result,
                    "effect": _effect(lines, visit.previous.point.state, visit.outcome, visit.point.state),
                }
            )
        visit = visit.previous
    return steps[::-1]


_EFFECTS = {
    "ok": "counts as a yes",
    "done": "counts as a yes and ends the stack",
    "bad": "counts as a no",
    "die": "counts as a no and ends the stack",
    "ignore": "changes nothing",
    "reset": "forgets what this stack said so far",
}


def _effect(lines: Sequence[Line], before: State, outcome: Outcome, state: State) -> str:
    """What the line at which `before` stands did with `outcome`, which led to `state`."""
    if outcome.result == "incomplete":
        return "stops here, and the login fails"
    line = lines[before.position]
    action = line.actions[outcome.result]
    if not isinstance(action, int):
        decided = before.judgement.impression == NEGATIVE
        effect = "changes nothing, it is a no already" if decided and action in ("ok", "done") else _EFFECTS[action]
        if line.level and action in ("done", "die"):
            effect = effect.replace("the stack", "this substack")
    elif state.judgement.impression == NEGATIVE != before.judgement.impression:
        effect = f"jumps {action} lines, more than there are, which counts as a no"
    else:
        effect = f"skips {action} line{'s' if action > 1 else ''}"
    if not outcome.genuine:
        effect = f"without a token; {effect}"
    if state.position == len(lines):
        effect += f"; the stack ends with {'success' if state.judgement.result == 'success' else 'a denial'}"
    return effect


def _describe(line: Line, ways: Sequence[Outcome]) -> dict[str, Any]:
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


def _unknown_modules(
    lines: Sequence[Line], token_modules: Sequence[str], is_installed: Callable[[str], object]
) -> list[str]:
    names = {line.module_name for line in lines if line.kind == "module" and is_installed(line.module)}
    return sorted(name for name in names if name not in token_modules and not is_known(name))
