# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The evidence about a host: what module host_audit_info returns. Reads once, changes nothing. Private to the collection.

A part that cannot be read does not keep the others from being read: it is said in finding audit_incomplete.
"""

from __future__ import annotations

import datetime
import os
import time
from typing import Callable, Iterable, Mapping, NamedTuple, Sequence, TypedDict, TypeVar

from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit.administrators import Administrators
from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit.clock import ClockReport, clock, tolerance
from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit.deadlines import deadlines_of_host
from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit.doors import DoorReport, Doors, DoorWish, JudgedDoor
from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit.drift import Drift, DriftRow
from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit.host_findings import (
    clock_findings,
    door_findings,
    drift_findings,
    log_findings,
    not_judged_findings,
    policy_findings,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit.host_policy import (
    ExemptionRow,
    MfaReport,
    exemption_rows,
    exemptions_of_host,
    mfa_report,
    options_of_host,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit.log_events import LogReport, log_report
from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit.log_lines import NONE, LogLines, idents
from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit.managed_pam import ManagedPam
from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit.meanings import MEANINGS
from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit.packages import Packages
from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit.sshd_part import SshdError, SshdPart, SshdReport
from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit.system_facts import (
    SystemFacts,
    Versions,
    system_facts,
    versions,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit.user_findings import (
    judge_logins,
    key_strength_findings,
    user_findings,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit.users import UserRow, Users, validated_keys
from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._findings import Finding, merged
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.options import GivenHostOptions, HostOptions, MfaHost
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.read_once import ReadOnceStateDir
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.exemption_findings import (
    end_findings,
    reason_findings,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.verdict import ASKED
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.account_lookup import remembered_accounts
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import account_exists
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.as_user import one_child
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.exemptions import kept_exempt
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.utc import utc_text

SCHEMA = 1
_Part = TypeVar("_Part")


class HostAuditWish(GivenHostOptions):
    """The options of module host_audit_info."""

    config: str
    dropin: str
    binary: str | None
    log_days: int
    services: list[str]


class AuditFinding(TypedDict):
    id: str
    severity: str
    message: str
    evidence: list[str]
    remedy: str


class TokenClock(ClockReport):
    """`tolerance`: by how many seconds the clock may be off before right tokens are refused; None without validated keys."""

    tolerance: int | None


class Evidence(TypedDict):
    """The return value of module host_audit_info; documented there."""

    schema: int
    collected: str
    seconds: float
    system: SystemFacts
    versions: Versions
    mfa: MfaReport
    exemptions: list[ExemptionRow]
    sshd: SshdReport | SshdError
    doors: list[DoorReport]
    users: list[UserRow]
    clock: TokenClock
    logs: LogReport
    drift: list[DriftRow]
    findings: list[AuditFinding]


class FromController(NamedTuple):
    """What no host knows by itself: the address that the run comes from, and SHA-256 by path of the programs that role mfa writes."""

    address: str
    programs: Mapping[str, str]


class HostAudit:
    """One reading of this host."""

    def __init__(self, wish: HostAuditWish, told: FromController):
        self._wish = wish
        self._told = told
        self._problems: list[str] = []
        self._findings: list[Finding] = []

    def evidence(self) -> Evidence:
        with remembered_accounts(), one_child():
            return self._evidence()

    def _evidence(self) -> Evidence:
        began, monotonic = time.time(), time.monotonic()
        options = options_of_host(self._wish, self._problems.append)
        state_dir, packages = ReadOnceStateDir(options["state_dir"]), Packages()
        host = MfaHost.from_options(options)._replace(state_dir=state_dir)
        of_versions = versions(packages, self._wish["binary"])
        pam = self._part("PAM services", ManagedPam, ManagedPam.nothing())
        sshd = SshdPart(self._wish, options, state_dir, self._told.address)
        mfa = mfa_report(options, bool(pam.files) or os.path.lexists(self._wish["dropin"]), bool(host.group.members))
        self._findings += sshd.findings
        self._findings += policy_findings(pam)
        self._problems += sshd.problems
        users = self._users(host, sshd.verdicts)
        doors = self._doors(options)
        logs = self._logs(pam, sshd.pam_services)
        drift = self._drift(pam, packages, sshd, bool(host.group.members)) if mfa["managed"] else []
        of_clock = clock()
        self._findings += clock_findings(of_clock)
        tolerated = self._part("keys", lambda: tolerance(key for _user, key in validated_keys(host)), None)
        self._without_mfa(mfa["managed"], users, sshd)
        exemptions = self._exemptions(options["state_dir"])
        self._problems += [f"packages: {packages.problem}"] if packages.problem else []
        self._findings += not_judged_findings([], self._problems)
        seconds = time.monotonic() - monotonic
        return {
            "schema": SCHEMA,
            "collected": utc_text(began),
            "seconds": round(seconds, 3),
            "system": system_facts(),
            "versions": of_versions,
            "mfa": mfa,
            "exemptions": exemptions,
            "sshd": sshd.report,
            "doors": [door.report for door in doors],
            "users": users,
            "clock": {**of_clock, "time": began + seconds / 2, "tolerance": tolerated},
            "logs": logs,
            "drift": drift,
            "findings": [_told(finding) for finding in merged(self._findings)],
        }

    def _part(self, name: str, read: Callable[[], _Part], otherwise: _Part) -> _Part:
        try:
            return read()
        except (FleetMfaError, OSError) as error:
            self._problems.append(f"{name}: {error}")
            return otherwise

    def _users(self, host: MfaHost, verdicts: dict[str, str]) -> list[UserRow]:
        admins = self._part("administrators", Administrators, None)
        self._findings += not_judged_findings(admins.problems if admins else [], [])
        deadlines = deadlines_of_host(self._problems.append)
        nobody: list[UserRow] = []
        rows = self._part("users", lambda: self._rows(Users(host, deadlines, admins.why if admins else {})), nobody)
        self._part("logins of administrators", lambda: judge_logins(rows, host.group.name), None)
        self._findings += user_findings(rows, verdicts)
        none: list[Finding] = []
        self._findings += self._part("keys", lambda: list(key_strength_findings(validated_keys(host))), none)
        return rows

    def _rows(self, users: Users) -> list[UserRow]:
        rows = users.rows()
        self._problems += users.problems
        return rows

    def _doors(self, options: HostOptions) -> list[JudgedDoor]:
        wish = self._wish
        found = Doors(
            DoorWish(wish["config"], wish["binary"], options["group"], options["state_dir"], wish["services"])
        )
        none: list[JudgedDoor] = []
        doors = self._part("doors", found.all, none)
        self._problems += found.problems
        self._findings += door_findings(doors)
        return doors

    def _logs(self, pam: ManagedPam, services: Iterable[str]) -> LogReport:
        days = self._wish["log_days"]
        names = sorted({"sshd", *services, *map(os.path.basename, pam.token_files)})
        lines = self._part("log", lambda: LogLines(days, idents(names)), None)
        if lines is None:
            return {"days": days, "source": NONE, "events": [], "truncated": False}
        report = log_report(days, lines, _Accounts())
        self._problems += [f"log: {lines.problem}"] if lines.problem and report["source"] != NONE else []
        self._findings += log_findings(report, lines.problem)
        return report

    def _drift(self, pam: ManagedPam, packages: Packages, sshd: SshdPart, has_members: bool) -> list[DriftRow]:
        none: list[DriftRow] = []
        told = [finding.as_dict() for finding in sshd.findings]
        drift = Drift(self._wish["dropin"], pam, packages, has_members, self._told.programs)
        rows = self._part("drift", lambda: drift.rows(told), none)
        self._findings += drift_findings(rows)
        return rows

    def _exemptions(self, state_dir: str) -> list[ExemptionRow]:
        entries, kept, today = exemptions_of_host(self._wish), kept_exempt(state_dir), datetime.date.today()
        self._findings += [*reason_findings(entries), *end_findings(entries, kept, today)]
        return exemption_rows(entries, kept, today)

    def _without_mfa(self, managed: bool, users: Sequence[UserRow], sshd: SshdPart) -> None:
        asks = ASKED in sshd.verdicts.values() or any(row["state"] == "enforced" for row in users)
        if not managed and not asks:
            self._findings.append(
                Finding("host_without_mfa", ("no policy of this collection, and nobody is asked for a token",))
            )


class _Accounts:
    """The names that are accounts of this host."""

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and bool(name) and account_exists(name)


def _told(finding: Finding) -> AuditFinding:
    told = finding.as_dict()
    return {
        "id": told["id"],
        "severity": told["severity"],
        "message": MEANINGS[finding.id],
        "evidence": told["evidence"],
        "remedy": told["remedy"],
    }
