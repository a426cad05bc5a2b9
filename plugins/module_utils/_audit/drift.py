# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What differs on a host from what the role has written, as far as the host alone can tell. Reads only. Private.

The host does not know what the role would write today; it knows what belongs together. Programs that PAM runs at logins are compared
with those of the collection that audits, programs and modules of packages with what their packages have installed.
"""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import Iterable, Iterator, Mapping, TypedDict

from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit.managed_pam import ManagedPam
from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit.packages import Packages
from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.root.policy import (
    EXEMPTIONS_FILE,
    POLICY_PATH,
    read_policy,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._findings import FindingReport
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.notices import SETTINGS_PATH as NOTICE_SETTINGS
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.commands import run
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.systemd import is_running

CLAIMS_SETTINGS = "/etc/fleetmfa/claims.conf"
_EXEMPTIONS = os.path.join(os.path.dirname(POLICY_PATH), EXEMPTIONS_FILE)
_SERVICE = "/usr/local/libexec/fleetmfa/mfa-enroll-service"
_ENROLLMENT_PROGRAMS = ("/usr/local/bin/mfa-enroll", _SERVICE)
_CLAIM_PROGRAM = "/usr/local/libexec/fleetmfa/totp-claim"
_NOTICE_PROGRAM = "/usr/local/libexec/fleetmfa/mfa-notice"
_NOTICE_UNIT = "fleetmfa-notice.path"
_TIMER = "fleetmfa-deadline.timer"
_UNITS = ("fleetmfa-enroll.socket", _TIMER)
_UNIT_FOLDER = "/etc/systemd/system"
# Findings that say how the drop-in is read.
_OF_DROPIN = ("sshd_dropin_not_read", "sshd_include_below_match", "sshd_policy_shadowed", "sshd_not_reloaded")


class DriftRow(TypedDict):
    path: str
    problem: str


class Drift:
    """Of a host that the role has been run on; `has_members`: whether anybody is enforced there.

    A host that was only given keys has neither lines nor members yet.
    """

    def __init__(
        self, dropin: str, pam: ManagedPam, packages: Packages, has_members: bool, programs: Mapping[str, str]
    ):
        self._dropin, self._pam, self._packages, self._programs = dropin, pam, packages, programs
        self._enforces = has_members or os.path.lexists(dropin) or bool(pam.files) or os.path.lexists(POLICY_PATH)
        self._wanted_units, self._policy_problem = _wanted_units()

    def rows(self, findings: Iterable[FindingReport]) -> list[DriftRow]:
        found = dict.fromkeys(
            [
                *self._of_dropin(findings),
                *self._of_pam(),
                *self._of_programs(),
                *self._of_settings(),
                *_of_units(self._wanted_units),
                *_of_units([_NOTICE_UNIT] if os.path.lexists(NOTICE_SETTINGS) else []),
                *((one.path, one.problem) for one in self._packages.changed_files()),
            ]
        )
        return [{"path": path, "problem": problem} for path, problem in found]

    def _of_dropin(self, findings: Iterable[FindingReport]) -> Iterator[tuple[str, str]]:
        if os.path.lexists(self._dropin):
            yield from _of_access(self._dropin)
        elif self._enforces:
            yield self._dropin, "is missing, but other parts of the policy are there"
        for finding in findings:
            if finding["id"] in _OF_DROPIN:
                yield (
                    self._dropin,
                    f"has no effect, or not the whole of it ({finding['id']}: {'; '.join(finding['evidence'])})",
                )

    def _of_pam(self) -> Iterator[tuple[str, str]]:
        for one in self._pam.files:
            if one.problem:
                yield one.path, f"the marked block is not complete: {one.problem}"
            yield from _of_access(one.path)
        for path, kept in self._pam.replaced():
            yield path, f"a package has replaced the file; the lines of this collection are in {kept}"
        if self._enforces and not self._pam.token_files:
            yield "/etc/pam.d", "no PAM service has the token lines, but other parts of the policy are there"

    def _of_programs(self) -> Iterator[tuple[str, str]]:
        wanted = set(self._pam.programs)
        if os.path.lexists(POLICY_PATH):
            wanted.update(_ENROLLMENT_PROGRAMS if self._wanted_units == _UNITS else [_SERVICE])
        if os.path.lexists(CLAIMS_SETTINGS):
            wanted.add(_CLAIM_PROGRAM)
        if os.path.lexists(NOTICE_SETTINGS):
            wanted.add(_NOTICE_PROGRAM)
        for path in sorted(wanted):
            if not os.path.lexists(path):
                yield path, "is missing, but it is run at logins, by users or to tell them"
                continue
            yield from _of_access(path)
            if not os.lstat(path).st_mode & 0o111:
                yield path, "cannot be executed"
        for path, digest in self._programs.items():
            if os.path.isfile(path) and hashlib.sha256(Path(path).read_bytes()).hexdigest() != digest:
                yield path, "was changed, or is of another version of the collection than the one that audits"

    def _of_settings(self) -> Iterator[tuple[str, str]]:
        if os.path.lexists(POLICY_PATH):
            yield from _of_access(POLICY_PATH)
            if self._policy_problem:
                yield POLICY_PATH, self._policy_problem
        for path in (CLAIMS_SETTINGS, NOTICE_SETTINGS, _EXEMPTIONS):
            if os.path.lexists(path):
                yield from _of_access(path)
                if os.lstat(path).st_mode & 0o077:
                    yield path, "others than root can read it"


def _wanted_units() -> tuple[tuple[str, ...], str]:
    """Those of enrollment, or only what ends exemptions, by the policy, which they are installed with; and why it cannot be read."""
    if not os.path.lexists(POLICY_PATH):
        return (), ""
    try:
        policy = read_policy()
    except FleetMfaError as error:
        return _UNITS, str(error)
    if policy.offered:
        return _UNITS, ""
    return (_TIMER,) if any(one.until for one in policy.exemptions) else (), ""


def _of_access(path: str) -> Iterator[tuple[str, str]]:
    """Others than root must not be able to change or replace the file."""
    for one in [Path(path), *Path(path).parents]:
        status = one.lstat()
        if one == Path(path) and not stat.S_ISREG(status.st_mode):
            yield path, "is not a regular file"
            return
        sticky = stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX
        if stat.S_ISLNK(status.st_mode) or sticky:
            continue
        if status.st_uid != 0 or status.st_mode & 0o022:
            who = f"belongs to user id {status.st_uid}" if status.st_uid else "can be written to by others than root"
            yield path, who if one == Path(path) else f"{one} {who}"


def _of_units(wanted: Iterable[str]) -> Iterator[tuple[str, str]]:
    for unit in wanted:
        path = f"{_UNIT_FOLDER}/{unit}"
        if not os.path.lexists(path):
            yield path, "is missing, but what needs it is there"
            continue
        yield from _of_access(path)
        if is_running() and not _is_active(unit):
            yield path, "is not active"


def _is_active(unit: str) -> bool:
    try:
        return run("systemctl", "is-active", unit).code == 0
    except FleetMfaError:
        return False
