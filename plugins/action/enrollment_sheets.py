# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Writes enrollment sheets on the controller; see the documentation in plugins/modules/enrollment_sheets.py."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.otpauth import given_key
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.settings import DEFAULT_ISSUER, RANGES, check_ranges
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.state_dir import check_user_name
from ansible_collections.fleetmfa.ssh.plugins.module_utils._misplaced import masked
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.files import read_file, write_file
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.steps import Step, run_steps
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._action_arguments import read_arguments
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._enrollment_sheet import SheetKey, enrollment_sheet
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._refused_secrets import refuse_secrets
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._second_device import check_device

ARGUMENTS = {
    "keys": {"type": "list", "elements": "dict", "required": True, "no_log": False},
    "dest": {"type": "path", "required": True},
    "issuer": {"type": "str", "default": DEFAULT_ISSUER},
    "period": {"type": "int", "default": RANGES["period"].default},
    "contact": {"type": "str", "default": "your administrator"},
}


class ActionModule(ActionBase):
    """Runs only on the controller, regardless of the host: the keys are there, and no host needs to see them."""

    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        try:
            arguments = self._arguments()
            sheets = _sheets(arguments)
            changed = [path for path, page in sheets.items() if read_file(path) != page]
            if not self._task.check_mode:
                _write(arguments["dest"], {path: sheets[path] for path in changed})
        except FleetMfaError as error:
            told = masked(str(error), self._task.args)
            raise AnsibleActionFail(told, result={"changed": error.changed}) from None
        result.update(changed=bool(changed), sheets=sorted(sheets))
        return result

    def _arguments(self) -> dict[str, Any]:
        given = read_arguments(self, ARGUMENTS)
        refuse_secrets(self._task.args)
        return given


def _sheets(arguments: dict[str, Any]) -> dict[str, bytes]:
    """Path and content of every sheet; an invalid key stops the run before anything is written."""
    check_ranges(arguments)
    sheets = {}
    for number, entry in enumerate(arguments["keys"], 1):
        try:
            user = str(entry.get("user", ""))
            check_user_name(user)
            check_device(entry)
            device = entry.get("device")
            given = given_key(str(entry.get("secret") or ""))
            key = SheetKey(
                user=user,
                device=device,
                secret=given.secret,
                issuer=str(entry.get("issuer") or given.issuer or arguments["issuer"]),
                account=str(entry.get("account") or given.account or user),
                period=given.period or arguments["period"],
                recovery_codes=[str(code) for code in entry.get("recovery_codes") or []],
            )
            name = f"{user}.{device}.html" if device else f"{user}.html"
            sheets[os.path.join(arguments["dest"], name)] = enrollment_sheet(key, arguments["contact"]).encode()
        except FleetMfaError as error:
            raise FleetMfaError(f"keys, entry {number}: {error}") from error
    return sheets


def _write(folder: str, sheets: dict[str, bytes]) -> None:
    try:
        Path(folder).mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise FleetMfaError(f"dest: cannot create {folder}: {error.strerror}") from error
    run_steps(Step(path, functools.partial(_write_page, path, page)) for path, page in sheets.items())


def _write_page(path: str, page: bytes) -> None:
    write_file(path, page, 0o600, os.geteuid(), os.getegid())
