# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The PAM services that sshd sends users to: whether they ask for a token, let anybody in, and keep every rule. Private."""

from __future__ import annotations

import functools
from typing import Iterable, Iterator

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._findings import Finding
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.base import lost_rules, without_us
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.config import Line, PamConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.prover import prove
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.subject import Subject
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.key_presence import AssumedKeys
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.pam_subjects import KeyPresence, PamSubjects
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.ways_through_pam import WaysThroughPam
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.login import Login, converses, login
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.pam_service import BaseServices, service_of
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.policy import PolicyReader
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.verdict import AssumedPam, JudgedWay, LoginStep


class PamServices(AssumedPam):
    """The PAM services, current or planned, judged for the users whom sshd sends to them.

    Without `base` there is nothing to compare with. Without `group` nobody has to be asked for a token yet, and PAM is
    assumed to do what it will have to. `keys` says who has a key; by default members of the group have one.
    """

    def __init__(
        self,
        config: PamConfig | None = None,
        base: BaseServices | None = None,
        group: str | None = None,
        keys: KeyPresence | None = None,
    ):
        self._config = config or PamConfig()
        self._base = base
        self._group = group
        self._lost: dict[tuple[str, str], list[Finding]] = {}
        self._skipped: dict[tuple[str, str], list[Finding]] = {}
        self.subjects = PamSubjects(self._config, group or "", keys or AssumedKeys(group or ""))
        self._ways = WaysThroughPam(self._config, self.subjects)

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
            yield from self._of_ways(one)
        if self._base is not None and self._group in one.account.groups:
            yield from self._auth_rules_skipped(self._base, one, service)

    def judge(self, one: Login, way: tuple[str, ...]) -> JudgedWay:
        return super().judge(one, way) if self._group is None else self._ways.judge(one, way)

    def _of_ways(self, one: Login) -> Iterator[Finding]:
        """Members of the group must not get in without a token, and they must get in with one.

        Whom the account lines deny is the administrator's decision, but no reason to let anybody pass before them.
        """
        try:
            judged = [(way, self._ways.authenticate(one, way)) for way in one.ways_in]
        except FleetMfaError as error:
            yield Finding(
                "pam_token_not_asked", (f"PAM service {service_of(one.settings)} cannot be checked: {error}",)
            )
            return
        for way, found in judged:
            if converses(way) and found.without_token:
                yield Finding("pam_token_not_asked", (in_words(service_of(one.settings), found.steps),))
        if judged and not any(found.with_token or found.without_token for _way, found in judged):
            yield Finding("pam_locked_out", tuple(dict.fromkeys(found.reason for _way, found in judged)))

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


def in_words(service: str, steps: Iterable[LoginStep]) -> str:
    """What PAM does in these steps of a login."""
    told = (f"{step['line'].replace(' ', ': ', 1)} {step['effect']}" for step in steps if step["line"])
    return f"PAM service {service}: {'; '.join(told)}"
