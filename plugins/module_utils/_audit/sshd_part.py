# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What sshd and PAM do with each class of users, and the findings about them and about keys, for the audit of a host. Private."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit.host_policy import enrollment_of_host
from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._findings import Finding
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.options import HostOptions
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.problems import spelling_findings
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.state_dir import StateDir
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.audit import Audit, AuditWish
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.judged_classes import ClassReport
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.key_findings import Enforcement, key_findings
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.overdue_findings import Enrollment
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import EnforcedGroup, Exemptions

if TYPE_CHECKING:
    from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit.evidence import HostAuditWish


class SshdReport(TypedDict):
    """As module sshd_policy_info returns them; `version` is its openssh_version."""

    classes: list[ClassReport]
    baseline: dict[str, str]
    version: list[int]


class SshdError(TypedDict):
    error: str


class SshdPart:
    """`verdicts` are those of single accounts; `problems` say what cannot be judged."""

    def __init__(self, wish: HostAuditWish, options: HostOptions, state_dir: StateDir, connecting_address: str):
        self.verdicts: dict[str, str] = {}
        self.pam_services: list[str] = []
        self.problems: list[str] = []
        self.findings: list[Finding] = []
        self.report: SshdReport | SshdError
        try:
            audit = Audit(_audit_wish(wish, options, connecting_address), state_dir=state_dir)
            told = audit.report()
        except FleetMfaError as error:
            self.problems.append(f"sshd: {error}")
            self.report = {"error": str(error)}
            self._read_keys(options, state_dir)
            return
        self.verdicts, self.pam_services = audit.verdicts, told["pam_services"]
        self.report = {"classes": told["classes"], "baseline": told["baseline"], "version": told["openssh_version"]}
        self.findings = [Finding(one["id"], tuple(one["evidence"])) for one in told["findings"]]
        if not told["classes"]:  # sshd rejects its configuration, and nothing else was looked at
            self._read_keys(options, state_dir)

    def _read_keys(self, options: HostOptions, state_dir: StateDir) -> None:
        try:
            self.findings += _of_keys(options, state_dir)
        except FleetMfaError as error:
            self.problems.append(f"keys: {error}")


def _of_keys(options: HostOptions, state_dir: StateDir) -> list[Finding]:
    group = EnforcedGroup(options["group"])
    exempt = Exemptions(options["exempt_users"], options["exempt_groups"])
    found = list(key_findings(state_dir, Enforcement(group, group.members, exempt)))
    return [*found, *(one for few in spelling_findings(state_dir, group).values() for one in few)]


def _audit_wish(wish: HostAuditWish, options: HostOptions, connecting_address: str) -> AuditWish:
    return {
        **options,
        "config": wish["config"],
        "dropin": wish["dropin"],
        "binary": wish["binary"],
        "assume_enforced": [],
        "enrollment": _enrollment(),
        "connecting_address": connecting_address,
    }


def _enrollment() -> Enrollment:
    try:
        return enrollment_of_host()
    except FleetMfaError:
        return Enrollment()  # a policy that cannot be read is said once (options_of_host)
