# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The PAM prover: what the `auth` stack of a service can do, for all results of its modules. Private to the collection.

`walk.py` finds every relevantly different path through the stack, and `explain.py` describes one of them. A proof is
about what can happen: every possible result is assumed to occur, and two lines are never assumed to agree (two
conditions on one unknown group may differ), so it errs on the side of finding a way in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Mapping, Sequence

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.config import RETURN_VALUES, Line, PamConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.dispatch import fixed_result
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.explain import (
    LineReport,
    StepReport,
    counterexample,
    describe,
    in_words,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.modules import (
    TOKEN_MODULES,
    ModuleOutcome,
    command_of,
    is_known,
    outcomes,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.prompts import ANSWERS
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.remembered import REMEMBERED, lines_that_remember
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.subject import Subject
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.walk import LineTest, Visit, Walker, that_succeed

ANYBODY = Subject()
NEVER, SOMETIMES, ALWAYS = "never", "sometimes", "always"


def token_line(token_modules: Sequence[str] = TOKEN_MODULES) -> LineTest:
    return lambda line: line.module_name in token_modules


def has_so_suffix(module: str) -> bool:
    """If the host cannot be checked: libpam adds no suffix, so a module named without one is missing."""
    return module.endswith(".so")


def runs_command(*command: str) -> LineTest:
    """Whether this is a pam_exec line that runs this program, with at least these arguments first."""
    return lambda line: (
        line.module_name == "pam_exec.so" and tuple(command_of(line.arguments)[: len(command)]) == command
    )


@dataclass(frozen=True)
class Verdict:
    """The answers for one service and one subject; `problem` is set if libpam does not start the service at all."""

    service: str
    can_succeed: bool
    can_succeed_without_token: bool
    token_asked: str
    token_asked_when_it_succeeds: str
    can_succeed_if_token_module_missing: bool
    ways_in: list[list[str]]
    counterexample: list[StepReport]
    lines: list[LineReport]
    unknown_modules: list[str]
    problem: str
    remembered_seconds: int  # for how long a token may be remembered, 0 if it is not; see `prove`

    def explain(self) -> str:
        """The counterexample as text, one step per line."""
        return self.problem or in_words(self.counterexample)


def prove(
    config: PamConfig,
    service: str,
    subject: Subject = ANYBODY,
    token_modules: Sequence[str] = TOKEN_MODULES,
    assume: Mapping[str, Sequence[str]] | None = None,
    required: Sequence[LineTest] | None = None,
    is_installed: Callable[[str], object] = has_so_suffix,
    one_answer: bool = False,
) -> Verdict:
    """What the stack of `service` can do for `subject`.

    `required`: what counts as a login with a token: a list of tests, each of which a line that succeeds must meet, in
    this order; by default a token module, or our own line that knows of an earlier token (remembered.py). `assume`:
    maps `file:line` to the results that this line may have. `one_answer`: every prompt gets the same answer, as sshd
    gives it for method `password`.
    """
    stack = config.auth_stack(service)
    lines = stack.lines
    remembering = lines_that_remember(config, lines) if required is None else {}
    required = [token_line(token_modules)] if required is None else required
    ways = [auth_ways(line, subject, service, token_modules, is_installed) for line in lines]
    _apply_assumptions(assume or {}, lines, ways, token_modules)
    without_module = [
        [ModuleOutcome("module_unknown")] if line.module_name in token_modules else way
        for line, way in zip(lines, ways)
    ]
    alternatives = [(answer,) for answer in ANSWERS] if one_answer else [ANSWERS]
    walkers = [
        Walker(lines, required, token_modules, answers, remembering) for answers in alternatives if not stack.problem
    ]
    ends = [end for walker in walkers for end in walker.ends(ways)]
    successes = that_succeed(ends)
    bypasses = [end for end in successes if end.point.proven < len(required) and not _is_remembered(end)]
    open_ends = that_succeed([end for walker in walkers for end in walker.ends(without_module)])
    open_ends = [end for end in open_ends if not _is_remembered(end)]
    return Verdict(
        service=service,
        can_succeed=bool(successes),
        can_succeed_without_token=bool(bypasses),
        token_asked=_how_often(ends),
        token_asked_when_it_succeeds=_how_often(successes),
        can_succeed_if_token_module_missing=bool(open_ends),
        ways_in=sorted(sorted(factors) for factors in {end.point.factors for end in successes}),
        counterexample=counterexample(lines, ends, bypasses or (open_ends if successes else [])),
        lines=[describe(line, way) for line, way in zip(lines, ways)],
        unknown_modules=_unknown_modules(lines, token_modules, is_installed),
        problem=stack.problem,
        remembered_seconds=max(remembering.values()) if any(map(_is_remembered, successes)) else 0,
    )


def _is_remembered(end: Visit) -> bool:
    return REMEMBERED in end.point.factors


def may_pass(
    config: PamConfig,
    service: str,
    subject: Subject,
    test: LineTest,
    is_installed: Callable[[str], object] = has_so_suffix,
) -> bool:
    """Whether a successful login may include a success of such a line."""
    lines = config.auth_stack(service).lines
    ways = [auth_ways(line, subject, service, TOKEN_MODULES, is_installed) for line in lines]
    ends = Walker(lines, [test], TOKEN_MODULES).ends(ways)
    return any(end.point.proven for end in that_succeed(ends))


def auth_ways(
    line: Line,
    subject: Subject,
    service: str,
    token_modules: Sequence[str],
    is_installed: Callable[[str], object],
) -> list[ModuleOutcome]:
    """The possible results of this line, the likeliest first."""
    fixed = fixed_result(line)
    if fixed is not None:
        return [ModuleOutcome(fixed)]
    if not is_installed(line.module):
        return [ModuleOutcome("module_unknown")]
    ways = set(outcomes(line, subject, service, token_modules))
    return sorted(ways, key=lambda way: (_likelihood(way.result), not way.genuine, not way.asks_token))


def _likelihood(result: str) -> int:
    return {"success": -2, "auth_err": -1}.get(result, RETURN_VALUES.index(result))


def _apply_assumptions(
    assume: Mapping[str, Sequence[str]],
    lines: Sequence[Line],
    ways: list[list[ModuleOutcome]],
    token_modules: Sequence[str],
) -> None:
    for place, results in assume.items():
        if not isinstance(results, list) or not results or set(map(str, results)) - set(RETURN_VALUES):
            raise FleetMfaError(
                f"option 'assume': {place} must be a list of results of PAM modules, such as [success, auth_err], "
                f"not {results}"
            )
        matching = [index for index, line in enumerate(lines) if _is_at(line, place) and line.kind == "module"]
        if not matching:
            raise FleetMfaError(f"option 'assume': there is no auth line at {place}; see 'lines' in the result")
        for index in matching:
            is_token = lines[index].module_name in token_modules
            possible = [way for way in ways[index] if way.result in results]
            others = [result for result in results if result not in {way.result for way in possible}]
            ways[index] = possible + [ModuleOutcome(result, asks_token=is_token) for result in others]


def _is_at(line: Line, place: str) -> bool:
    return line.place == place or line.place.endswith(f"/{place}")


def _how_often(ends: Sequence[Visit]) -> str:
    asked = {end.point.asked for end in ends}
    return SOMETIMES if len(asked) == 2 else ALWAYS if True in asked else NEVER


def _unknown_modules(
    lines: Sequence[Line], token_modules: Sequence[str], is_installed: Callable[[str], object]
) -> list[str]:
    names = {line.module_name for line in lines if line.kind == "module" and is_installed(line.module)}
    return sorted(name for name in names if name not in token_modules and not is_known(name))
