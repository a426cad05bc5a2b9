# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The part of module totp_host that lets users enroll: a group, files with their units, and the deadline. Private."""

from __future__ import annotations

import os
from typing import Any, TypedDict

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError, PartlyDoneError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import EnforcedGroup
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.commands import run
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.file_set import FileWish
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.installed_files import (
    FILES_ARGUMENT,
    UNITS_ARGUMENT,
    install_files,
)

ENROLLMENT_ARGUMENTS: dict[str, Any] = {
    "files": FILES_ARGUMENT,
    "units": UNITS_ARGUMENT,
    "overdue_group": {"type": "str"},
    "deadline_program": {"type": "path"},
    "only_if_exists": {"type": "path"},
}


class EnrollmentWish(TypedDict):
    """The options above, as Ansible passes them."""

    files: list[FileWish]
    units: list[str]
    overdue_group: str | None
    deadline_program: str | None
    only_if_exists: str | None


class Enrolling:
    """One call."""

    def __init__(self, wish: EnrollmentWish, check_mode: bool):
        self._wish, self._check_mode = wish, check_mode
        self._done: list[str] = []
        self._result: dict[str, Any] = {"changed": False, "paths": [], "units": [], "diff": []}

    def run(self) -> dict[str, Any]:
        only_if = self._wish["only_if_exists"]
        if only_if and not os.path.lexists(only_if):
            return self._result
        try:
            self._make_group()
            self._install()
            if not self._check_mode:
                self._settle()
        except FleetMfaError as error:
            if not self._done or self._check_mode:
                raise
            raise PartlyDoneError(f"{error}. Before that, {' and '.join(self._done)}") from error
        return self._result

    def _make_group(self) -> None:
        name = self._wish["overdue_group"]
        if name is None or EnforcedGroup(name).exists:
            return
        if not self._check_mode:
            EnforcedGroup(name).prepare()
        self._result["changed"] = True
        self._done.append(f"group {name} was made")

    def _install(self) -> None:
        installed = install_files(self._wish["files"], self._wish["units"], self._check_mode)
        self._result = {**installed, "changed": installed["changed"] or self._result["changed"]}
        if installed["changed"]:
            self._done.append("the files of enrollment were written and its units started")

    def _settle(self) -> None:
        """As its timer does every night, but at once; without a change of the files nothing is different from last night."""
        program = self._wish["deadline_program"]
        if program is None or not self._result["paths"]:
            return
        done = run(program, "deadline")
        if done.code:
            raise FleetMfaError(f"{program} deadline: {done.said or f'exit status {done.code}'}")
