# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Checks that the PAM services that sshd sends enforced users to ask for a token and keep every rule. Private."""

from __future__ import annotations

import functools
from typing import Iterator

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._findings import Finding
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.base import lost_rules, without_us
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.config import Line, PamConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.prover import prove
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.subject import Subject
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.login import Login, ServiceFiles, login
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.pam_service import BaseServices, service_of
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.policy import PolicyReader


class PamServices(ServiceFiles):
    """The PAM services, current or planned, checked for the users whom sshd sends to them.

    Without `base` there is nothing to compare with; without `group` nobody has to be asked for a token.
    """

    def __init__(self, config: PamConfig | None = None, base: BaseServices | None = None, group: str | None = None):
        self._config = config or PamConfig()
        self._base = base
        self._group = group
        self._lost: dict[tuple[str, str], list[Finding]] = {}
        self._without_token: dict[str, list[Finding]] = {}
        self._skipped: dict[tuple[str, str], list[Finding]] = {}

    def has_file(self, service: str) -> bool:
        return self._config.find_file(service) is not None

    def findings(self, one: Login) -> Iterator[Finding]:
        service = service_of(one.settings)
        if self._base is not None:
            base = self._base.of(one.account, one.connection)
            if (base, service) not in self._lost:
                self._lost[base, service] = list(_rules_lost(self._config, base, service))
            yield from self._lost[base, service]
        if self._group is not None:
            if service not in self._without_token:
                self._without_token[service] = list(_without_token(self._config, service, self._group))
            yield from self._without_token[service]
        if self._base is not None and self._group in one.account.groups:
            yield from self._auth_rules_skipped(self._base, one, service)

    def _auth_rules_skipped(self, bases: BaseServices, one: Login, service: str) -> list[Finding]:
        """A login with only a public key runs no auth line; if every way in ran them, their rules decided who gets
        in."""
        base = bases.of(one.account, one.connection)
        if (base, service) not in self._skipped:
            self._skipped[base, service] = list(_rules_skipped(self._config, base, service, self._group or ""))
        found = self._skipped[base, service]
        return found if found and _every_way_runs_auth(login(bases.bare, one.account, one.connection)) else []


def rules_kept(bare: PolicyReader) -> PamServices:
    """The current services, for a change of sshd alone: PAM may get its token lines later, but no rule may be lost."""
    return PamServices(base=BaseServices(bare))


def _rules_lost(config: PamConfig, base: str, service: str) -> Iterator[Finding]:
    """Users of `base` who are sent to `service` must find every rule of `base` there."""
    try:
        lost = lost_rules(config, base, service)
    except FleetMfaError as error:
        lost = [str(error)]
    for text in lost:
        yield Finding("pam_rules_lost", (f"PAM service {service} instead of {base}: {text}",))


def _every_way_runs_auth(one: Login) -> bool:
    return bool(one.ways_in) and all(
        any(method.partition(":")[0] in ("keyboard-interactive", "password") for method in way) for way in one.ways_in
    )


def _rules_skipped(config: PamConfig, base: str, service: str, group: str) -> Iterator[Finding]:
    """Lines in the auth part of `base` that decide who gets in, and that `service` lets members of the group bypass."""
    member = Subject(member_of=frozenset({group}), has_key=True)
    for rule in filter(_decides_who, without_us(config, [base]).auth_stack(base).lines):
        verdict = prove(config, service, member, required=[functools.partial(_is_same_line, rule)])
        if verdict.can_succeed_without_token:
            text = f"PAM service {service}: {rule.module_name} {' '.join(rule.arguments)} of {rule.file}"
            yield Finding("pam_auth_rules_skipped", (text,))


def _is_same_line(rule: Line, line: Line) -> bool:
    """Ignores the line number, which our block may have changed."""
    return (rule.file, rule.module, rule.arguments) == (line.file, line.module, line.arguments)


def _decides_who(line: Line) -> bool:
    if line.module_name == "pam_succeed_if.so":
        # Distributions exclude system accounts by uid; they cannot log in anyway.
        return any(word in ("user", "group", "ingroup", "notingroup", "shell", "home") for word in line.arguments)
    return line.module_name in ("pam_access.so", "pam_listfile.so", "pam_shells.so", "pam_time.so", "pam_nologin.so")


def _without_token(config: PamConfig, service: str, group: str) -> Iterator[Finding]:
    """Members of the group whom sshd sends to `service` must not get in without a token."""
    try:
        verdict = prove(config, service, Subject(member_of=frozenset({group}), has_key=True))
    except FleetMfaError as error:
        yield Finding("pam_token_not_asked", (f"PAM service {service} cannot be checked: {error}",))
        return
    if verdict.can_succeed_without_token:
        steps = verdict.explain().replace("\n", "; ")
        yield Finding("pam_token_not_asked", (f"PAM service {service}: {steps}",))
