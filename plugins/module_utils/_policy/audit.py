# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What module sshd_policy_info reports about a host: its baseline, the policy of each class of users, and findings.
Private."""

from __future__ import annotations

import os
from typing import Callable, Iterator, List, TypedDict

from ansible_collections.fleetmfa.ssh.plugins.module_utils._findings import (
    Finding,
    FindingReport,
    FindingsError,
    merged,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.problems import spelling_findings
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.state_dir import StateDir
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.config import PamConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy import bare_policy
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.first_factor import FirstFactors
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.host_tokens import host_token_findings
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.judged_classes import ClassJudge, ClassReport
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.key_findings import Enforcement, key_findings
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.key_presence import KeyFiles
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.overdue_findings import (
    Enrollment,
    candidates,
    overdue_findings,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.pam_service import PamServices
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.binary import Sshd
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.config import SshdConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.confinement import Candidate
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.match import Account
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.pam_service import BaseServices
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.penalties import penalty_findings
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.placement import placement
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.plan import ANY_USER, Surroundings, bare_config
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.policy import PolicyReader, user_classes
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.second_daemon import (
    second_daemon_findings,
    second_daemons,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.verdict import LOCKED_OUT
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import EnforcedGroup, Exemptions, known_as

Enrolling = Callable[[Enrollment, SshdConfig, str, StateDir], List[Candidate]]


class AuditWish(TypedDict):
    """What to audit on a host."""

    config: str  # main configuration file of sshd
    dropin: str
    binary: str | None  # of sshd; None: the one of this machine
    group: str
    state_dir: str
    exempt_users: list[str]
    exempt_groups: list[str]
    assume_enforced: list[str]
    enrollment: Enrollment
    connecting_address: str  # where this run connects from, as the host sees it; "" if not known


class AuditReport(TypedDict):
    """What module sshd_policy_info returns."""

    openssh_version: list[int]
    capabilities: dict[str, bool]
    pam_services: list[str]
    pam_rules_by_name: list[str]
    baseline: dict[str, str]
    classes: list[ClassReport]
    findings: list[FindingReport]
    sshd_calls: int


class Audit:
    """Reads a host's sshd policy once; changes nothing."""

    def __init__(
        self,
        wish: AuditWish,
        surroundings: Surroundings | None = None,
        enrolling: Enrolling = candidates,
        pam: PamConfig | None = None,
        state_dir: StateDir | None = None,
    ):
        self.group = wish["group"]
        self.path = wish["dropin"]
        self.main = wish["config"]
        self.sshd = Sshd(wish["binary"])
        self.state_dir = state_dir or StateDir(wish["state_dir"])
        self.assumed = set(map(known_as, wish["assume_enforced"]))
        self.exempt = Exemptions(wish["exempt_users"], wish["exempt_groups"])
        self.enrollment = wish["enrollment"]
        self._address = wish["connecting_address"]
        self._surroundings = surroundings or Surroundings()
        self._enrolling = enrolling
        self._config_of_pam = pam or PamConfig()
        self._bare: PolicyReader | None = None  # the configuration without our policy, if sshd accepts it
        self._base: BaseServices | None = None
        self.verdicts: dict[str, str] = {}  # of each account that sshd may let in; filled by report()

    def report(self) -> AuditReport:
        baseline: dict[str, str] = {}
        services: list[str] = []
        classes: list[ClassReport] = []
        findings: list[Finding] = []
        bare = PolicyReader(self.sshd, bare_config(self.sshd, self.main, self.path))
        reader = PolicyReader(self.sshd, SshdConfig(self.main, version=self.sshd.version))
        with bare, reader:
            complaint = reader.complaint()
            try:
                if not bare.complaint():
                    baseline = bare_policy.baseline(bare)
                    self._bare, self._base = bare, BaseServices(bare)
                    services = self._base.all([*self._surroundings.accounts(bare.config, self.group), ANY_USER])
                if not complaint:
                    classes, findings = self._judge(reader, services)
            except FindingsError as error:
                findings = error.findings
        if complaint:
            findings = [Finding("sshd_config_invalid", (complaint,))]
        return {
            "openssh_version": list(self.sshd.version),
            "capabilities": bare_policy.capabilities(self.sshd),
            "pam_services": services,
            "pam_rules_by_name": bare_policy.pam_rules_by_name(self._config_of_pam, services),
            "baseline": baseline,
            "classes": classes,
            "findings": [finding.as_dict() for finding in merged(findings)],
            "sshd_calls": self.sshd.calls,
        }

    def _judge(self, reader: PolicyReader, services: list[str]) -> tuple[list[ClassReport], list[Finding]]:
        self._pam = PamServices(self._config_of_pam, self._base, self.group)
        pam_now = PamServices(self._config_of_pam, self._base, self.group, KeyFiles())
        judge = ClassJudge(reader, self._bare, self.group, self._pam, pam_now)
        accounts = [self._as_assumed(account) for account in self._surroundings.accounts(reader.config, self.group)]
        judged = [
            judged for members in user_classes(reader.config, accounts, self.group) for judged in judge.classes(members)
        ]
        self.verdicts = {one.name: each.report["verdict"] for each in judged for one in each.members}
        enforced = {account.name for account in accounts if self._is_enforced(account)}
        findings = [finding for one in judged for finding in one.findings]
        if judged and all(one.report["verdict"] == LOCKED_OUT for one in judged):
            findings.append(
                Finding(
                    "sshd_nobody_can_log_in",
                    (f"{len(accounts)} accounts with a login shell, none of which can log in",),
                )
            )
        if self._is_in_force(reader.config, enforced):
            findings += judge.classes([ANY_USER.joined(self.group)])[0].findings
            findings += self._of_the_host(reader, [account for account in accounts if self._is_enforced(account)])
        findings += self._without_first_factor(reader, enforced)
        real_members = {account.name for account in accounts if self._is_enforced(account)} - self.assumed
        group = EnforcedGroup(self.group)
        findings += key_findings(self.state_dir, Enforcement(group, real_members, self.exempt, self.assumed))
        for found in spelling_findings(self.state_dir, group).values():
            findings += found
        enrolling = self._enrolling(self.enrollment, reader.config, self.group, self.state_dir)
        findings += overdue_findings(reader, self.enrollment, enrolling, self.group)
        if self._bare is not None:
            others = [account.name for account in accounts if not self._is_enforced(account)]
            others = [user for user in others if user not in self.exempt]
            findings += host_token_findings(self._config_of_pam, self._bare, services, others)
        return [one.report for one in judged], findings

    def _without_first_factor(self, reader: PolicyReader, users: set[str]) -> Iterator[Finding]:
        judged = FirstFactors(reader, self.group, pam=self._config_of_pam)
        for user, answer in judged.answers(users).items():
            if answer.state == "cannot":
                yield Finding("first_factor_missing", (f"{user}: {answer.reason}; {answer.remedy}",))

    def _as_assumed(self, account: Account) -> Account:
        return account.joined(self.group) if account.name in self.assumed else account

    def _is_enforced(self, account: Account) -> bool:
        return self.group in account.groups

    def _is_in_force(self, config: SshdConfig, enforced: set[str]) -> bool:
        """Whether anything on this host requires a token from members of the group."""
        named = any(("group", self.group) in match.criteria for match in config.matches)
        return bool(enforced) or named or os.path.exists(self.path)

    def _of_the_host(self, reader: PolicyReader, enforced: list[Account]) -> Iterator[Finding]:
        """Findings that no single login shows: how the drop-in is read, the group, the running daemons."""
        yield from self._placement(reader.config)
        if not EnforcedGroup(self.group).exists:
            yield Finding("sshd_group_missing", (f"no group {self.group} on this host",))
        yield from self._not_reloaded(reader)
        yield from penalty_findings(reader.global_settings(), self._address)
        seconds = second_daemons(self._surroundings.running(self.main), self.main)
        enforced = [*enforced, ANY_USER.joined(self.group)]
        yield from second_daemon_findings(seconds, self.sshd, enforced, self.group, {}, self._pam)

    def _placement(self, config: SshdConfig) -> Iterator[Finding]:
        if not os.path.exists(self.path):
            return
        placed = placement(config, self.path, self.sshd.separate_challenge_response)
        if placed.below_match and not placed.read:
            yield Finding("sshd_include_below_match", (placed.below_match[0].where,))
        elif not placed.read:
            yield Finding("sshd_dropin_not_read", (f"no Include in {self.main} includes {self.path}",))
        for directive in placed.shadowing:
            yield Finding("sshd_policy_shadowed", (f"{directive.where}, read before {self.path}",))

    def _not_reloaded(self, reader: PolicyReader) -> Iterator[Finding]:
        """sshd writes its pid file each time it reads its configuration, also on a reload."""
        pid_file = reader.global_settings().get("pidfile", ["none"])[0]
        if (
            os.path.exists(pid_file)
            and os.path.exists(self.path)
            and os.path.getmtime(self.path) > os.path.getmtime(pid_file)
        ):
            yield Finding("sshd_not_reloaded", (f"{self.path} is newer than {pid_file}",))
