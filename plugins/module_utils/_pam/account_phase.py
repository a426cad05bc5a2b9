# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Whether PAM's `account` phase, which sshd runs for every login, can let a user in. Private to the collection.

The possible results are taken from the modules' sources, as in `modules.py`: if a result depends on something unknown,
every result is possible, and a module that is not listed may return anything.
"""

from __future__ import annotations

from typing import Callable, Iterable, NamedTuple, Sequence

from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.access import access_results, listfile_results
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.account_check import asks_guard, records_tested
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.config import RETURN_VALUES, Line, PamConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.dispatch import fixed_result
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.explain import counterexample, in_words
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.modules import TOKEN_MODULES, ModuleOutcome
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.prover import has_so_suffix
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.subject import Subject, succeed_if
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.texts import text_of
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.walk import Walker, that_succeed
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.files import read_file

_RESULTS: dict[str, tuple[str, ...]] = {
    "pam_permit.so": ("success",),
    "pam_deny.so": ("auth_err",),
    "pam_limits.so": ("module_unknown",),
    "pam_loginuid.so": ("module_unknown",),
    **dict.fromkeys(TOKEN_MODULES, ("module_unknown",)),
}


class AccountPhase(NamedTuple):
    """`failure` shows how it denies, if it always does."""

    can_succeed: bool
    failure: str


def account_phase(
    config: PamConfig,
    service: str,
    subject: Subject,
    with_token: bool,
    is_installed: Callable[[str], object] = has_so_suffix,
) -> AccountPhase:
    """For a login with a token, or without one."""
    stack = config.stack(service, "account")
    if stack.problem or not stack.lines:
        return AccountPhase(False, stack.problem or f"{service} has no account lines, which denies")
    ends = Walker(stack.lines, (), ()).ends(account_ways(stack.lines, service, subject, with_token, is_installed))
    if that_succeed(ends):
        return AccountPhase(True, "")
    return AccountPhase(False, in_words(counterexample(stack.lines, ends, ())))


def account_ways(
    lines: Sequence[Line],
    service: str,
    subject: Subject,
    with_token: bool,
    is_installed: Callable[[str], object] = has_so_suffix,
) -> list[list[ModuleOutcome]]:
    """The possible results of each line."""
    records = next(filter(None, map(records_tested, lines)), None)
    results = _Results(subject, service, _recorded(records, subject), with_token)
    return [results.of(line, is_installed) for line in lines]


def _recorded(records: str | None, subject: Subject) -> frozenset[str] | None:
    """The names recorded as enforced with this user id; None if there is no record."""
    if records is None or subject.uid is None:
        return None
    content = read_file(f"{records}/{subject.uid}")
    return None if content is None else frozenset(text_of(content).splitlines())


class _Results(NamedTuple):
    subject: Subject
    service: str
    recorded: frozenset[str] | None
    with_token: bool

    def of(self, line: Line, is_installed: Callable[[str], object]) -> list[ModuleOutcome]:
        fixed = fixed_result(line)
        if fixed is None and not is_installed(line.module):
            fixed = "module_unknown"
        results = {fixed} if fixed is not None else set(self._of_module(line))
        return [ModuleOutcome(result) for result in sorted(results, key=RETURN_VALUES.index)]

    def _of_module(self, line: Line) -> Iterable[str]:
        if records_tested(line) and self.subject.uid is not None:
            if self.recorded is None:
                return ("success",)
            if not asks_guard(line):  # of an earlier version, which asks in the next line
                return ("system_err",)
        if asks_guard(line) and self.recorded and not self.with_token and self._is_enforced(self.recorded):
            return ("system_err",)
        return account_results(line, self.subject, self.service)

    def _is_enforced(self, recorded: frozenset[str]) -> bool:
        """As the guard sees it: an exempt name stands there with a slash, and another name of root is let in."""
        user = self.subject.user
        return user in recorded or not (f"/{user}" in recorded or self.subject.uid == 0)


def account_results(line: Line, subject: Subject, service: str) -> Iterable[str]:
    """Every possible result of this line's module for this subject."""
    name, arguments = line.module_name, line.arguments
    if name == "pam_succeed_if.so":
        return succeed_if(arguments, subject, service)
    if name == "pam_access.so":
        return access_results(arguments, subject)
    if name == "pam_listfile.so":
        return listfile_results(arguments, subject)
    if name == "pam_debug.so":
        told = next((word[len("acct=") :] for word in arguments if word.startswith("acct=")), "")
        return (told if told in RETURN_VALUES else "success",)
    return _RESULTS.get(name, RETURN_VALUES)
