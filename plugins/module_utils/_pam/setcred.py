# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What pam_setcred() does with an `auth` stack that was not run before. Private to the collection.

sshd runs keyboard-interactive in a child process, so in the process that sets the credentials libpam knows no results
of the auth phase: it runs the stack anew, with the result of each module's pam_sm_setcred(), for everybody, even for a
login with a key alone. If that run fails, a user who was just let in is thrown out; if it ends early, the modules after
that line cannot do their work (pam_group, pam_krb5, pam_cap).
"""

from __future__ import annotations

from typing import Callable, Iterator, NamedTuple

from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.config import RETURN_VALUES, Line, PamConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.dispatch import (
    State,
    essence,
    fixed_result,
    levels_with_reset,
    step,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.modules import (
    MODULES_WITHOUT_AUTH,
    is_known,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.prover import ALWAYS, NEVER, SOMETIMES, has_so_suffix

_IGNORING = (
    "pam_access.so", "pam_echo.so", "pam_exec.so", "pam_faildelay.so", "pam_issue.so", "pam_nologin.so",
    "pam_sepermit.so", "pam_succeed_if.so", "pam_usertype.so", "pam_warn.so",
)  # fmt: skip
_DIRECTORY_MODULES = ("pam_sss.so", "pam_ldap.so", "pam_krb5.so", "pam_winbind.so")


class Reached(NamedTuple):
    """A line of the stack, without its number, which an edit above it changes; and how often it is reached."""

    file: str
    control: str
    module: str
    arguments: tuple[str, ...]
    how_often: str


class Credentials(NamedTuple):
    """`succeeds` and `reached` cover every run that is possible on a healthy host; `failure` shows a failing one."""

    succeeds: str
    reached: frozenset[Reached]
    failure: list[str]


def set_credentials(
    config: PamConfig, service: str, is_installed: Callable[[str], object] = has_so_suffix
) -> Credentials:
    stack = config.auth_stack(service)
    walks = [_Walk(stack.lines, is_installed, jump_is_ok) for jump_is_ok in (False, True)]
    results = {end.judgement.result == "success" for walk in walks for end in walk.ends()}
    succeeds = SOMETIMES if len(results) == 2 else ALWAYS if True in results and not stack.problem else NEVER
    reached = set()
    for position, line in enumerate(stack.lines):
        often = {walk.how_often(position) for walk in walks}
        how_often = often.pop() if len(often) == 1 else SOMETIMES
        if how_often != NEVER and line.kind != "substack":
            reached.add(Reached(line.file, line.control, line.module, line.arguments, how_often))
    failures = [stack.problem] if stack.problem else next(filter(None, (walk.failure() for walk in walks)), [])
    return Credentials(succeeds, frozenset(reached), failures)


def results_of(line: Line) -> tuple[str, ...]:
    """The possible results of pam_sm_setcred() in the module of a line, on a healthy host."""
    name = line.module_name
    if name == "pam_debug.so":
        told = next((word[len("cred=") :] for word in line.arguments if word.startswith("cred=")), "")
        return (told if told in RETURN_VALUES else "success",)
    if name in MODULES_WITHOUT_AUTH:
        return ("module_unknown",)
    if name == "pam_deny.so":
        return ("cred_err",)
    if name == "pam_nologin.so" and "successok" in line.arguments:
        return ("success",)
    if name in _IGNORING:
        return ("ignore",)
    if name in _DIRECTORY_MODULES or not is_known(name):
        return ("success", "ignore")
    return ("success",)


class _Walk:
    """Every run through one stack, as a graph of states."""

    def __init__(self, lines: tuple[Line, ...], is_installed: Callable[[str], object], jump_is_ok: bool):
        self._lines = lines
        self._is_installed = is_installed
        self._jump_is_ok = jump_is_ok
        self._states = list(self._reachable())

    def ends(self) -> list[State]:
        return [state for state in self._states if state.position == len(self._lines)]

    def how_often(self, position: int) -> str:
        if not any(state.position == position for state in self._states):
            return NEVER
        avoiding = self._reachable(avoid=position)
        return SOMETIMES if any(state.position == len(self._lines) for state in avoiding) else ALWAYS

    def failure(self) -> list[str]:
        """A failing run, one step per line."""
        came_from: dict[State, tuple[State, str]] = {}
        for state in self._reachable(came_from=came_from):
            if state.position == len(self._lines) and state.judgement.result != "success":
                steps = []
                while state in came_from:
                    state, result = came_from[state]
                    line = self._lines[state.position]
                    steps.append(f"{line.place}: {line.module or line.problem} returned {result} from setcred")
                return steps[::-1]
        return []

    def _reachable(
        self, avoid: int | None = None, came_from: dict[State, tuple[State, str]] | None = None
    ) -> Iterator[State]:
        resets = levels_with_reset(self._lines)
        seen, waiting = {State()}, [State()]
        while waiting:
            state = waiting.pop()
            yield state
            if state.position in (avoid, len(self._lines)):
                continue
            for result in self._results(self._lines[state.position]):
                following = step(self._lines, state, result, self._jump_is_ok)
                following = essence(following, resets[following.position])
                if following not in seen:
                    seen.add(following)
                    waiting.append(following)
                    if came_from is not None:
                        came_from[following] = (state, result)

    def _results(self, line: Line) -> tuple[str, ...]:
        fixed = fixed_result(line)
        if fixed is not None:
            return (fixed,)
        return results_of(line) if self._is_installed(line.module) else ("module_unknown",)
