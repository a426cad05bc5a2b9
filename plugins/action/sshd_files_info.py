# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads the policy of sshd in a folder; see the documentation in plugins/modules/sshd_files_info.py."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._misplaced import masked
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._judged_files.folder import EtcFolder
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._judged_files.options import (
    FOLDER_ARGUMENTS,
    fleet_of,
    read_folder_arguments,
)
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._judged_files.with_role import folder_policy


class ActionModule(ActionBase):
    """Runs only on the controller, once for all hosts."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        try:
            given = read_folder_arguments(self, FOLDER_ARGUMENTS)
            found = folder_policy(EtcFolder(given["folder"]), fleet_of(given), given["binary"])
        except FleetMfaError as error:
            raise AnsibleActionFail(masked(str(error), self._task.args)) from None
        return {**result, **found, "changed": False}
