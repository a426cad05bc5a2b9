# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Judges sshd_config and PAM services in a folder; see the documentation in plugins/modules/judge_files.py."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.settings import check_choice
from ansible_collections.fleetmfa.ssh.plugins.module_utils._misplaced import masked
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.rollout import TOTP_ROLLOUT_SPEC
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._judged_files.folder import EtcFolder
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._judged_files.judging import JudgedFolder, judge_folder
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._judged_files.junit import junit_of_error, junit_xml
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._judged_files.options import (
    FOLDER_ARGUMENTS,
    fleet_of,
    read_folder_arguments,
)
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._judged_files.text import summary
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._judged_files.wanted import OTHERS, compared
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._judged_files.with_role import role_changes
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._junit import write_junit

ARGUMENTS: dict[str, Any] = {
    **FOLDER_ARGUMENTS,
    "others": {"type": "str", "default": OTHERS[0]},
    "junit": {"type": "str"},
    "rollout": {
        "type": "dict",
        "options": {
            "pam": TOTP_ROLLOUT_SPEC["pam"],
            "account_check": TOTP_ROLLOUT_SPEC["account_check"],
            "sshd": {**TOTP_ROLLOUT_SPEC["sshd"], "required": True},
        },
    },
}


class ActionModule(ActionBase):
    """Runs only on the controller, once for all hosts."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        try:
            given = self._arguments()
            judged = _judged(given)
            found = compared(judged.classes, given["others"])
            if given["junit"]:
                write_junit(given["junit"], junit_xml(given["folder"], found))
        except FleetMfaError as error:
            raise AnsibleActionFail(masked(str(error), self._task.args)) from None
        folder = f"{given['folder']} with what role mfa adds" if given["rollout"] else given["folder"]
        text = summary(found, folder, judged.version, given["group"])
        result.update(changed=False, openssh_version=list(judged.version), msg=text)
        if not all(one.ok for one in found):
            # Ansible prints all that a failed task returns, and the message says it.
            return {**result, "failed": True}
        self._display.display(text)
        return {**result, "classes": [one.as_dict() for one in found]}

    def _arguments(self) -> dict[str, Any]:
        given = read_folder_arguments(self, ARGUMENTS)
        check_choice("others (mfa_judge_others)", given["others"], OTHERS)
        return given


def _judged(given: dict[str, Any]) -> JudgedFolder:
    fleet = fleet_of(given)
    try:
        folder, rollout = EtcFolder(given["folder"]), given["rollout"]
        changes = role_changes(folder, fleet, given["binary"], rollout) if rollout else []
        return judge_folder(folder, fleet, given["binary"], changes)
    except FleetMfaError as error:
        if given["junit"]:
            write_junit(given["junit"], junit_of_error(given["folder"], str(error)))
        raise
