# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What module sshd_policy_info reports about a host: its baseline, the policy of each class of users, and findings.
Private."""

from __future__ import annotations

import os
from typing import Callable, Iterable, Iterator, List, NamedTuple, TypedDict

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._findings import (
    Finding,
    FindingReport,
    FindingsError,
    merged,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.problems import spelling_findings
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.state_dir import StateDir
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.base import without_us
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.config import PamConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.named_rules import named_rules
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.first_factor import FirstFactors
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.host_tokens import host_token_findings
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.key_findings import Enforcement, key_findings
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.key_presence import KeyFiles
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.overdue_findings import (
    Enrollment,
    candidates,
    overdue_findings,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.pam_service import PamServices, in_words
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.binary import Sshd
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.config import SshdConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.confinement import Candidate
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.login import (
    METHOD_KEYWORDS,
    Login,
    login,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.login_findings import findings_of_enforced
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.match import Account, Connection
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.pam_service import BaseServices, service_of
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.placement import placement
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.plan import ANY_USER, Surroundings, bare_config
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.policy import PolicyReader, user_classes
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.second_daemon import (
    second_daemon_findings,
    second_daemons,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.verdict import (
    CAN_BYPASS,
    GRAVITY,
    LOCKED_OUT,
    LoginStep,
    LoginVerdict,
    verdict,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import EnforcedGroup, Exemptions, known_as

Enrolling = Callable[[Enrollment, SshdConfig, str, StateDir], List[Candidate]]

_EXAMPLES = 5
_BASELINE = {keyword for keywords in METHOD_KEYWORDS.values() for keyword in keywords} | {
    "authenticationmethods",
    "permitemptypasswords",
    "permitrootlogin",
    "usedns",
}


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


class ClassReport(TypedDict):
    """A class of users, as module sshd_policy_info returns it in `classes`."""

    users: int
    examples: list[str]
    groups: list[str]
    enforced: bool
    methods: list[str]
    needs: list[tuple[str, ...]]
    verdict: str
    counterexample: list[LoginStep]
    reason: str


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
    ):
        self.group = wish["group"]
        self.path = wish["dropin"]
        self.main = wish["config"]
        self.sshd = Sshd(wish["binary"])
        self.state_dir = StateDir(wish["state_dir"])
        self.assumed = set(map(known_as, wish["assume_enforced"]))
        self.exempt = Exemptions(wish["exempt_users"], wish["exempt_groups"])
        self.enrollment = wish["enrollment"]
        self._surroundings = surroundings or Surroundings()
        self._enrolling = enrolling
        self._config_of_pam = pam or PamConfig()
        self._bare: PolicyReader | None = None  # the configuration without our policy, if sshd accepts it
        self._base: BaseServices | None = None

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
                    settings = bare.global_settings()
                    baseline = {keyword: settings[keyword][0] for keyword in sorted(_BASELINE & set(settings))}
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
            "capabilities": {
                "pam_service_name": self.sshd.pam_service_name,
                "separate_challenge_response": self.sshd.separate_challenge_response,
            },
            "pam_services": services,
            "pam_rules_by_name": self._pam_rules_by_name(services),
            "baseline": baseline,
            "classes": classes,
            "findings": [finding.as_dict() for finding in merged(findings)],
            "sshd_calls": self.sshd.calls,
        }

    def _pam_rules_by_name(self, services: list[str]) -> list[str]:
        try:
            bare = without_us(self._config_of_pam, services)
        except FleetMfaError:
            bare = self._config_of_pam  # an incomplete block: every change of it is refused
        return list(dict.fromkeys(rule for service in services for rule in named_rules(bare, service)))

    def _judge(self, reader: PolicyReader, services: list[str]) -> tuple[list[ClassReport], list[Finding]]:
        # What is wrong with a policy is wrong for users with a key; a verdict is about the users as they are.
        self._pam = PamServices(self._config_of_pam, self._base, self.group)
        self._pam_now = PamServices(self._config_of_pam, self._base, self.group, KeyFiles())
        accounts = [self._as_assumed(account) for account in self._surroundings.accounts(reader.config, self.group)]
        connections = reader.connections()
        judged = [
            judged
            for members in user_classes(reader.config, accounts, self.group)
            for judged in self._classes(reader, members, connections)
        ]
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
            findings += self._classes(reader, [ANY_USER.joined(self.group)], connections)[0].findings
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

    def _classes(
        self, reader: PolicyReader, members: list[Account], connections: list[Connection]
    ) -> list[JudgedClass]:
        """The users of a class that sshd does not tell apart, in as many as have different verdicts because of PAM."""
        services = {service_of(login(reader, members[0], connection).settings) for connection in connections}
        judged: dict[tuple[str, ...], list[Account]] = {}
        for alike in self._told_apart(members, services):
            verdicts = self._verdicts(login(reader, alike[0], connection) for connection in connections)
            judged.setdefault(tuple(one.said for one in verdicts.values()), []).extend(alike)
        return [self._class(reader, alike, connections) for alike in judged.values()]

    def _told_apart(self, members: list[Account], services: set[str]) -> list[list[Account]]:
        try:
            return self._pam_now.subjects.told_apart(members, services)
        except FleetMfaError:
            return [members]  # of a service that cannot be checked, which their verdict says

    def _verdicts(self, logins: Iterable[Login]) -> dict[Connection, LoginVerdict]:
        return {one.connection: verdict(one, self._is_enforced(one.account), self._pam_now) for one in logins}

    def _class(self, reader: PolicyReader, members: list[Account], connections: list[Connection]) -> JudgedClass:
        one, enforced = members[0], self._is_enforced(members[0])
        logins = [login(reader, one, connection) for connection in connections]
        verdicts = self._verdicts(logins)
        findings = []
        for each in logins:
            found = self._findings(reader, each, verdicts[each.connection])
            findings += [_about(finding, members, each.connection, len(logins) > 1) for finding in found]
        said = {each.said for each in verdicts.values()}
        if enforced and len(said) > 1 and CAN_BYPASS in said:
            told = tuple(f"{_names(members)}: {each.said} {connection}" for connection, each in verdicts.items())
            findings.append(Finding("sshd_connection_decides", told))
        return JudgedClass(self._report(reader, members, logins, verdicts), findings)

    def _report(
        self,
        reader: PolicyReader,
        members: list[Account],
        logins: list[Login],
        verdicts: dict[Connection, LoginVerdict],
    ) -> ClassReport:
        groups, worst = members[0].groups, min(verdicts.values(), key=lambda each: GRAVITY.index(each.said))
        matched = {pattern for match in reader.config.matches for name, pattern in match.criteria if name == "group"}
        return {
            "users": len(members),
            "examples": [member.name for member in members[:_EXAMPLES]],
            "groups": sorted(group for group in groups if any(group in patterns.split(",") for patterns in matched)),
            "enforced": self._is_enforced(members[0]),
            "methods": sorted({method for each in logins for method in each.methods}),
            "needs": sorted({way for each in logins for way in each.ways_in}),
            "verdict": worst.said,
            "counterexample": list(worst.steps) if worst.said == CAN_BYPASS else [],
            "reason": worst.reason,
        }

    def _findings(self, reader: PolicyReader, one: Login, judged: LoginVerdict) -> Iterator[Finding]:
        if not self._is_enforced(one.account):
            yield from self._unenforced_asked(one)
            return
        found = list(findings_of_enforced(reader.config, one, self._pam))
        yield from found
        if judged.said == CAN_BYPASS and not found:
            # Whoever has a key is asked, but this user has none that PAM looks for.
            yield Finding("pam_token_not_asked", (in_words(service_of(one.settings), judged.steps),))

    def _unenforced_asked(self, one: Login) -> Iterator[Finding]:
        if not one.always_converses_later:
            return
        ways = " or ".join(",".join(way) for way in one.ways_in)
        before = self._bare and login(self._bare, one.account, one.connection).always_converses_later
        whose = ", by the host's own lines, even without our policy" if before else ""
        yield Finding("sshd_unenforced_asked", (f"needs {ways}{whose}",))

    def _of_the_host(self, reader: PolicyReader, enforced: list[Account]) -> Iterator[Finding]:
        """Findings that no single login shows: how the drop-in is read, the group, the running daemons."""
        yield from self._placement(reader.config)
        if not EnforcedGroup(self.group).exists:
            yield Finding("sshd_group_missing", (f"no group {self.group} on this host",))
        yield from self._not_reloaded(reader)
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


class JudgedClass(NamedTuple):
    report: ClassReport
    findings: list[Finding]


def _about(finding: Finding, members: list[Account], connection: Connection, tell_connection: bool) -> Finding:
    where = f" {connection}" if tell_connection else ""
    return finding._replace(evidence=tuple(f"{_names(members)}{where}: {text}" for text in finding.evidence))


def _names(members: list[Account]) -> str:
    more = len(members) - _EXAMPLES
    names = ["any other enforced user" if one.name == ANY_USER.name else one.name for one in members[:_EXAMPLES]]
    return ", ".join(names) + (f" and {more} more" if more > 0 else "")
