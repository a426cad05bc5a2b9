# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Judges the classes of users that sshd and PAM tell apart: what a login needs, and what is wrong with that. Private."""

from __future__ import annotations

from typing import Iterable, Iterator, NamedTuple, TypedDict

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._findings import Finding
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.pam_service import PamServices, in_words
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.login import Login, login
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.login_findings import findings_of_enforced
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.match import Account, Connection
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.pam_service import service_of
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.plan import ANY_USER
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.policy import PolicyReader
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.security_keys import (
    member_findings,
    security_key_findings,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.verdict import (
    CAN_BYPASS,
    GRAVITY,
    LoginStep,
    LoginVerdict,
    verdict,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import SECURITY_KEY_GROUP

_EXAMPLES = 5


class ClassReport(TypedDict):
    """A class of users, as module sshd_policy_info returns it in `classes`."""

    users: int
    examples: list[str]
    groups: list[str]
    enforced: bool
    methods: list[str]
    needs: list[tuple[str, ...]]
    verdict: str
    remembered_seconds: int
    counterexample: list[LoginStep]
    reason: str


class JudgedClass(NamedTuple):
    report: ClassReport
    findings: list[Finding]
    members: list[Account]


class ClassJudge:
    """Of one configuration of sshd; `bare` is the one without our policy, if sshd accepts it.

    What is wrong with a policy is wrong for users with a key (`pam`); a verdict is about the users as they are (`pam_now`).
    """

    def __init__(
        self, reader: PolicyReader, bare: PolicyReader | None, group: str, pam: PamServices, pam_now: PamServices
    ):
        self._reader, self._bare, self._group = reader, bare, group
        self._pam, self._pam_now = pam, pam_now
        self._connections = reader.connections()

    def classes(self, members: list[Account]) -> list[JudgedClass]:
        """The users of a class that sshd does not tell apart, in as many as have different verdicts because of PAM."""
        services = {
            service_of(login(self._reader, members[0], connection).settings) for connection in self._connections
        }
        judged: dict[tuple[tuple[str, int], ...], list[Account]] = {}
        for alike in self._told_apart(members, services):
            verdicts = self._verdicts(login(self._reader, alike[0], connection) for connection in self._connections)
            judged.setdefault(tuple((one.said, one.remembered_seconds) for one in verdicts.values()), []).extend(alike)
        return [self._class(alike) for alike in judged.values()]

    def _told_apart(self, members: list[Account], services: set[str]) -> list[list[Account]]:
        try:
            return self._pam_now.subjects.told_apart(members, services)
        except FleetMfaError:
            return [members]  # of a service that cannot be checked, which their verdict says

    def _verdicts(self, logins: Iterable[Login]) -> dict[Connection, LoginVerdict]:
        return {one.connection: verdict(one, self._is_enforced(one.account), self._pam_now) for one in logins}

    def _class(self, members: list[Account]) -> JudgedClass:
        one, enforced = members[0], self._is_enforced(members[0])
        logins = [login(self._reader, one, connection) for connection in self._connections]
        verdicts = self._verdicts(logins)
        findings = []
        for each in logins:
            found = self._findings(each, verdicts[each.connection])
            findings += [_about(finding, members, each.connection, len(logins) > 1) for finding in found]
        said = {each.said for each in verdicts.values()}
        if enforced and len(said) > 1 and CAN_BYPASS in said:
            told = tuple(f"{_names(members)}: {each.said} {connection}" for connection, each in verdicts.items())
            findings.append(Finding("sshd_connection_decides", told))
        return JudgedClass(self._report(members, logins, verdicts), findings, members)

    def _report(
        self,
        members: list[Account],
        logins: list[Login],
        verdicts: dict[Connection, LoginVerdict],
    ) -> ClassReport:
        groups, worst = members[0].groups, min(verdicts.values(), key=lambda each: GRAVITY.index(each.said))
        matched = {
            pattern for match in self._reader.config.matches for name, pattern in match.criteria if name == "group"
        }
        return {
            "users": len(members),
            "examples": [member.name for member in members[:_EXAMPLES]],
            "groups": sorted(group for group in groups if any(group in patterns.split(",") for patterns in matched)),
            "enforced": self._is_enforced(members[0]),
            "methods": sorted({method for each in logins for method in each.methods}),
            "needs": sorted({way for each in logins for way in each.ways_in}),
            "verdict": worst.said,
            "remembered_seconds": max(each.remembered_seconds for each in verdicts.values()),
            "counterexample": list(worst.steps) if worst.said == CAN_BYPASS else [],
            "reason": worst.reason,
        }

    def _findings(self, one: Login, judged: LoginVerdict) -> Iterator[Finding]:
        if not self._is_enforced(one.account):
            yield from self._unenforced_asked(one)
            judge = member_findings if SECURITY_KEY_GROUP in one.account.groups else security_key_findings
            yield from judge(self._reader.config, one)
            return
        found = list(findings_of_enforced(self._reader.config, one, self._pam))
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

    def _is_enforced(self, account: Account) -> bool:
        return self._group in account.groups


def _about(finding: Finding, members: list[Account], connection: Connection, tell_connection: bool) -> Finding:
    where = f" {connection}" if tell_connection else ""
    return finding._replace(evidence=tuple(f"{_names(members)}{where}: {text}" for text in finding.evidence))


def _names(members: list[Account]) -> str:
    more = len(members) - _EXAMPLES
    names = ["any other enforced user" if one.name == ANY_USER.name else one.name for one in members[:_EXAMPLES]]
    return ", ".join(names) + (f" and {more} more" if more > 0 else "")
