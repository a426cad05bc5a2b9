# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The controller's side of a roll-out: applies it, makes a new login, and confirms through that login. The module is
the host's side."""

from __future__ import annotations

import secrets
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._confirmed_action import ConfirmedAction
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._fresh_connection import require_login


class ActionModule(ConfirmedAction):
    MODULE = "fleetmfa.ssh.totp_rollout"
    CHANGE = "the new configuration"
    TAKEN_BACK = "the old configuration is restored"

    def act(self) -> dict[str, Any]:
        if self._task.args.get("phase", "apply") != "apply":
            return self.module(self.MODULE, self._task.args)
        self._refuse_without_login()
        self._task.args["rollout_id"] = secrets.token_hex(8)
        return super().act()

    def _refuse_without_login(self) -> None:
        if boolean(self._task.args.get("confirm_without_login", False), strict=False):  # the module says what is wrong
            return
        try:
            require_login(self._connection, "confirm_without_login")
        except FleetMfaError as error:
            raise AnsibleActionFail(str(error)) from None

    def after_rollback(self, result: dict[str, Any]) -> dict[str, Any]:
        return {"changed": False}
