# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Judges the files of a folder: a verdict for each class of users, as a host with these files would get it. Private."""

from __future__ import annotations

from typing import Iterable, Iterator, NamedTuple, Sequence

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._findings import merged
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.prover import token_line
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.subject import Subject
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.ways_through_pam import WaysThroughPam
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.binary import Sshd
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.config import SshdConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.login import Login, deciding_line, login
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.login_findings import findings_of_enforced
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.match import Account
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.pam_service import service_of
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.policy import PolicyReader
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.verdict import (
    ASKED,
    GRAVITY,
    LOCKED_OUT,
    AssumedPam,
    JudgedWay,
    LoginStep,
    verdict,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.files import FileChange
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._judged_files.folder import EtcFolder, FolderFiles
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._judged_files.pam_files import FolderPam
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._judged_files.people import (
    ENFORCED,
    FleetGroups,
    Representative,
    representatives,
)


class JudgedUsers(NamedTuple):
    """A class of users; the fields are those that module judge_files returns in `classes`."""

    kind: str
    users: str
    verdict: str
    remembered_seconds: int  # of who is asked: for how long a token may be remembered
    denied: bool  # on purpose: by name, or root by PermitRootLogin
    counterexample: tuple[LoginStep, ...]
    reason: str
    where: tuple[str, ...]
    remedies: tuple[str, ...]


class JudgedFolder(NamedTuple):
    version: tuple[int, int]  # of the sshd that was asked
    classes: list[JudgedUsers]


class _PamOfFolder(AssumedPam):
    def __init__(self, pam: FolderPam, people: Iterable[Representative]):
        self._pam = pam
        self._subjects = {one.account: one.subject for one in people}
        self._ways = WaysThroughPam(pam, self)

    def of(self, account: Account, _service: str) -> Subject:
        return self._subjects[account]

    def has_file(self, service: str) -> bool:
        return self._pam.find_file(service) is not None

    def judge(self, one: Login, way: tuple[str, ...]) -> JudgedWay:
        return self._ways.judge(one, way)


def judge_folder(
    folder: EtcFolder, fleet: FleetGroups, binary: str | None, changes: Sequence[FileChange] = ()
) -> JudgedFolder:
    """With the changes made, if there are any. Raises FleetMfaError if anything is missing that a verdict needs."""
    main = folder.sshd_config()
    planned = {change.path: change.after for change in changes}
    sshd = Sshd(binary, for_other_hosts=True)
    config = SshdConfig(main, planned, sshd.version, FolderFiles(folder))
    with PolicyReader(sshd, config) as reader, FolderPam(folder, planned) as pam:
        complaint = reader.complaint()
        if complaint:
            raise FleetMfaError(f"{main}: sshd rejects it: {complaint}")
        people = representatives(config, fleet)
        connections = reader.connections()
        logins = [[login(reader, one.account, connection) for connection in connections] for one in people]
        for service in _services(logins):
            pam.require(service)
        judge = _Judge(config, pam, _PamOfFolder(pam, people))
        found = [judge.judged(one, of_one) for one, of_one in zip(people, logins)]
    return JudgedFolder(sshd.version, list(_told_once(found)))


def _services(logins: list[list[Login]]) -> list[str]:
    return sorted({service_of(one.settings) for of_one in logins for one in of_one if one.value("usepam") == "yes"})


class _Judge:
    def __init__(self, config: SshdConfig, pam: FolderPam, judging: _PamOfFolder):
        self._config, self._pam, self._judging = config, pam, judging

    def judged(self, person: Representative, logins: list[Login]) -> JudgedUsers:
        """The most urgent of the verdicts for all connections from which sshd lets them in by name."""
        enforced = person.kind == ENFORCED
        admitted = [one for one in logins if one.is_admitted]
        judged = [(one, verdict(one, enforced, self._judging)) for one in admitted or logins]
        one, found = min(judged, key=lambda pair: GRAVITY.index(pair[1].said))
        findings = merged(findings_of_enforced(self._config, one, self._judging)) if enforced else []
        return JudgedUsers(
            kind=person.kind,
            users=person.who,
            verdict=found.said,
            remembered_seconds=max(each.remembered_seconds for _one, each in judged),
            denied=found.said == LOCKED_OUT and (not admitted or _is_denied_root(one, enforced)),
            counterexample=found.steps,
            reason=found.reason,
            where=tuple(self._where(one, found.said)),
            remedies=tuple(finding.remedy for finding in findings),
        )

    def _where(self, one: Login, said: str) -> Iterator[str]:
        """The lines of sshd that decide; which lines of PAM do is in the steps, unless all of them lead to a token."""
        keywords = ["authenticationmethods", "usepam"]
        if said == LOCKED_OUT:
            methods = {method for way in one.demanded for method in way}
            keywords += sorted(keyword for keyword in map(one.disabled_by, sorted(methods)) if keyword)
        for keyword in dict.fromkeys(keywords):
            yield deciding_line(self._config, one, keyword)
        if said == ASKED:
            is_token_line = token_line()
            for line in filter(is_token_line, self._pam.auth_stack(service_of(one.settings)).lines):
                yield f"{line.place}: {line.type} {line.module_name}"


def _is_denied_root(one: Login, enforced: bool) -> bool:
    """Without `PermitRootLogin yes` root passes no keyboard-interactive: a reason not to enforce root, not to refuse the files."""
    permitted = one.value("permitrootlogin")
    return one.account.uid == 0 and (permitted == "no" or (enforced and permitted != "yes"))


def _told_once(found: Iterable[JudgedUsers]) -> Iterator[JudgedUsers]:
    """Combinations of groups in which the same lines decide as for simpler ones tell nothing new."""
    seen = set()
    for one in found:
        steps = tuple(tuple(step.values()) for step in one.counterexample[1:])  # the first names the account
        key = (one.kind, one.verdict, one.denied, one.reason, one.where, steps)
        if key not in seen:
            seen.add(key)
            yield one
