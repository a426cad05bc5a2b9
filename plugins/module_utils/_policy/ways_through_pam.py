# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Judges a way in that sshd offers together with what PAM does on it: the one place where the two are combined. Private.

`keyboard-interactive` answers each prompt of the PAM service, `password` gives one answer to all of them, and other
methods run no `auth` line. Whatever the methods were, the `account` lines have the last word.
"""

from __future__ import annotations

import functools
from typing import Callable, Iterator, Protocol, Sequence

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.account_phase import AccountPhase, account_phase
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.config import DEFAULT_CONFDIR, PamConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.probe import find_module
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.prover import (
    NEVER,
    Verdict,
    has_so_suffix,
    prove,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.setcred import set_credentials
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.subject import Subject
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.login import KEYBOARD_INTERACTIVE, Login
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.match import Account
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.pam_service import service_of
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.verdict import JudgedWay, LoginStep

_WITHOUT_PAM = {
    "publickey": ("an SSH key of the user", "sshd accepts the key and runs no auth line of PAM"),
    "password": ("password", "sshd itself compares it with the password in shadow"),
    "hostbased": ("a trusted client host", "sshd accepts the host and runs no auth line of PAM"),
    "gssapi-with-mic": ("a Kerberos ticket", "sshd accepts the ticket and runs no auth line of PAM"),
    "gssapi-keyex": ("a Kerberos ticket", "sshd accepts the ticket and runs no auth line of PAM"),
}
_ONE_ANSWER = "password gives one answer to every prompt of PAM service"


class SubjectOfAccount(Protocol):
    def of(self, account: Account, service: str) -> Subject:
        """What the lines of this service can tell about the account."""


class WaysThroughPam:
    """Judges ways in by one folder of PAM services."""

    def __init__(self, config: PamConfig, subjects: SubjectOfAccount):
        self._config, self._subjects = config, subjects
        self._is_installed: Callable[[str], object] = has_so_suffix
        if config.confdir == DEFAULT_CONFDIR:
            self._is_installed = functools.lru_cache(maxsize=None)(find_module)
        self._proofs: dict[tuple[str, Subject, bool], Verdict] = {}
        self._accounts: dict[tuple[str, Subject, bool], AccountPhase] = {}
        self._cannot_set: dict[str, str] = {}

    def judge(self, one: Login, way: Sequence[str]) -> JudgedWay:
        try:
            return self._account(one, self.authenticate(one, way))
        except FleetMfaError as error:
            said = f"PAM service {service_of(one.settings)} cannot be checked: {error}"
            steps = (_connect(one), _step(way[-1], said))
            return JudgedWay(with_token=True, without_token=True, steps=steps, reason=said)

    def authenticate(self, one: Login, way: Sequence[str]) -> JudgedWay:
        """Without the account lines."""
        parts = [self._method(one, method.partition(":")[0]) for method in way]
        return JudgedWay(
            with_token=all(part.with_token or part.without_token for part in parts)
            and any(part.with_token for part in parts),
            without_token=all(part.without_token for part in parts),
            steps=(_connect(one), *(step for part in parts for step in part.steps)),
            reason="; ".join(filter(None, (part.reason for part in parts))),
            remembered_seconds=max((part.remembered_seconds for part in parts), default=0),
        )

    def _method(self, one: Login, method: str) -> JudgedWay:
        if method != KEYBOARD_INTERACTIVE and (method != "password" or one.value("usepam") != "yes"):
            answer, effect = _WITHOUT_PAM[method]
            return JudgedWay(with_token=False, without_token=True, steps=(_step(method, effect, answer),))
        service, one_answer = service_of(one.settings), method == "password"
        proof = self.proof(one, one_answer)
        reason = "" if proof.can_succeed else self._denial(service, one_answer, proof)
        if not one_answer and proof.can_succeed:
            reason = self._cannot_set_credentials(service)
        return JudgedWay(
            with_token=not reason and any("token" in factors for factors in proof.ways_in),
            without_token=not reason and proof.can_succeed_without_token,
            steps=tuple(_pam_steps(method, proof)) if proof.can_succeed_without_token else (),
            reason=reason,
            remembered_seconds=0 if reason else proof.remembered_seconds,
        )

    def proof(self, one: Login, one_answer: bool) -> Verdict:
        service = service_of(one.settings)
        question = (service, self._subjects.of(one.account, service), one_answer)
        if question not in self._proofs:
            self._proofs[question] = prove(
                self._config, service, question[1], is_installed=self._is_installed, one_answer=one_answer
            )
        return self._proofs[question]

    def _denial(self, service: str, one_answer: bool, proof: Verdict) -> str:
        steps = proof.explain().replace("\n", "; ")
        if one_answer and prove(self._config, service, is_installed=self._is_installed).can_succeed:
            return f"{_ONE_ANSWER} {service}, which needs more than one: {steps}"
        return f"PAM service {service} never succeeds: {steps}"

    def _cannot_set_credentials(self, service: str) -> str:
        """sshd throws users out whose credentials PAM cannot set; after a password, PAM remembers what it ran."""
        if service not in self._cannot_set:
            found = set_credentials(self._config, service, self._is_installed)
            told = f"pam_setcred of PAM service {service} always fails: {'; '.join(found.failure)}"
            self._cannot_set[service] = told if found.succeeds == NEVER else ""
        return self._cannot_set[service]

    def _account(self, one: Login, way: JudgedWay) -> JudgedWay:
        if one.value("usepam") != "yes" or not (way.with_token or way.without_token):
            return way
        service = service_of(one.settings)
        with_token, without_token = (self._account_phase(one, service, token) for token in (True, False))
        return JudgedWay(
            with_token=way.with_token and with_token.can_succeed,
            without_token=way.without_token and without_token.can_succeed,
            steps=(*way.steps, _step("account", f"the account lines of {service} may let the user in")),
            reason=f"the account lines of PAM service {service} deny: {without_token.failure}".replace("\n", "; "),
            remembered_seconds=way.remembered_seconds if with_token.can_succeed else 0,
        )

    def _account_phase(self, one: Login, service: str, with_token: bool) -> AccountPhase:
        question = (service, self._subjects.of(one.account, service), with_token)
        if question not in self._accounts:
            self._accounts[question] = account_phase(self._config, service, question[1], with_token, self._is_installed)
        return self._accounts[question]


def _connect(one: Login) -> LoginStep:
    return _step("connect", f"as {one.account.name} {one.connection}")


def _step(method: str, effect: str, answer: str = "", prompt: str = "", line: str = "") -> LoginStep:
    return {"method": method, "prompt": prompt, "answer": answer, "line": line, "effect": effect}


def _pam_steps(method: str, proof: Verdict) -> Iterator[LoginStep]:
    for found in proof.counterexample:
        line = f"{found['file']}:{found['line']} {found['module']}"
        effect = f"returned {found['returned']}: {found['effect']}"
        yield _step(method, effect, found["answer"], found["prompt"], line)
