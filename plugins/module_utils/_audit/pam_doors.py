# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Whether a PAM service asks an enforced user for the token. Private to the collection.

A module that is not known may return anything, so the prover finds a way in through it. Such a service is not called open
because of that alone: it is proven once more with unknown modules that never say yes by themselves.
"""

from __future__ import annotations

import functools
import os
from typing import Callable, Iterable, NamedTuple

from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit.known_doors import SERVICES
from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.account_phase import account_phase
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.config import (
    DEFAULT_CONFDIR,
    RETURN_VALUES,
    VENDOR_CONFDIRS,
    Line,
    PamConfig,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.door_cases import called_by_a_user
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.host_tokens import named_file
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.probe import find_module
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.prover import Verdict, has_so_suffix, prove, token_line
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.subject import Subject

COVERED, NOT_COVERED, NOT_JUDGED, NOT_REACHABLE = "covered", "not_covered", "not_judged", "not_reachable"
_YES = ("success", "new_authtok_reqd")
_NOT_YES = [result for result in RETURN_VALUES if result not in _YES]


class DoorState(NamedTuple):
    state: str
    reason: str


class PamDoors:
    """The services of a folder, judged for a member of `group`, whose keys are in `state_dir`."""

    def __init__(self, config: PamConfig, group: str, state_dir: str):
        self._config, self._group, self._keys = config, group, f"{state_dir}/"
        self._is_installed: Callable[[str], object] = has_so_suffix
        if config.confdir == DEFAULT_CONFDIR:
            self._is_installed = functools.lru_cache(maxsize=None)(find_module)

    def services(self) -> list[str]:
        """Those with a file of their own, without files that others include."""
        folders = [self._config.confdir, *(VENDOR_CONFDIRS if self._config.confdir == DEFAULT_CONFDIR else ())]
        names = {entry.name for folder in folders if os.path.isdir(folder) for entry in os.scandir(folder)}
        names = {name for name in names if not name.startswith((".", "common-")) and "." not in name}
        return sorted(names - self._included(names))

    def _included(self, names: Iterable[str]) -> set[str]:
        found: set[str] = set()
        for name in names:
            try:
                files = {os.path.basename(line.file) for line in self._config.lines(name)}
            except FleetMfaError:
                continue
            found |= files - {name}
        return found - set(SERVICES)

    def has(self, service: str) -> bool:
        try:
            return self._config.find_file(service) is not None
        except FleetMfaError:
            return True

    def judge(self, service: str) -> DoorState:
        try:
            return self._judge(service)
        except FleetMfaError as error:
            return DoorState(NOT_JUDGED, f"PAM service {service} cannot be read: {error}")

    def _judge(self, service: str) -> DoorState:
        lines = self._config.auth_stack(service).lines
        subject = Subject(member_of=frozenset({self._group}), has_key=self._has_key(lines))
        by_user = called_by_a_user(self._config, service)
        proof = self._prove(service, subject, by_user)
        if not proof.can_succeed:
            return DoorState(NOT_REACHABLE, f"PAM service {service} lets nobody in: {_in_a_line(proof)}")
        if not proof.can_succeed_without_token:
            return DoorState(COVERED, f"PAM service {service} asks a member of {self._group} for the token")
        account = account_phase(self._config, service, subject, with_token=False, is_installed=self._is_installed)
        if not account.can_succeed:
            reason = account.failure.replace("\n", "; ")
            return DoorState(NOT_REACHABLE, f"the account lines of PAM service {service} let nobody in: {reason}")
        unknown = [line for line in lines if line.module_name in proof.unknown_modules]
        certain = self._prove(service, subject, {**by_user, **{line.place: _NOT_YES for line in unknown}})
        if certain.can_succeed_without_token:
            return DoorState(NOT_COVERED, f"PAM service {service}: {_in_a_line(certain)}")
        names = ", ".join(proof.unknown_modules)
        return DoorState(NOT_JUDGED, f"PAM service {service}: whether {names} lets in without the token is not known")

    def _has_key(self, lines: Iterable[Line]) -> bool | None:
        """An enforced user has a key of this collection; of the host's own files that is not known."""
        files = [named_file(line) for line in lines if token_line()(line)]
        return True if files and all((file or "").startswith(self._keys) for file in files) else None

    def _prove(self, service: str, subject: Subject, assume: dict[str, list[str]]) -> Verdict:
        return prove(self._config, service, subject, assume=assume, is_installed=self._is_installed)


def _in_a_line(proof: Verdict) -> str:
    return proof.explain().replace("\n", "; ")
