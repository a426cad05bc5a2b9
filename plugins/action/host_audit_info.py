# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The controller's side of module host_audit_info: from which address the host sees this run, when it was asked, by the
controller's clock, and what role mfa writes for PAM to run."""

from __future__ import annotations

import time
from typing import Any

from ansible.errors import AnsibleActionFail

from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.pam_programs import pam_programs
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._connected_action import ConnectedAction


class ActionModule(ConnectedAction):
    MODULE = "fleetmfa.ssh.host_audit_info"

    def arguments(self) -> dict[str, Any]:
        if "_programs" in self._task.args:
            raise AnsibleActionFail("_programs is no option: it is what the collection has; take it out of the task")
        return {**super().arguments(), "_programs": pam_programs()}

    def connection_facts(self) -> dict[str, Any]:
        """An audit changes nothing, so a login shell that hides who is connected is no reason to leave the host out."""
        try:
            return super().connection_facts()
        except AnsibleActionFail:
            return {}

    def module(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        began = time.time()
        return {**super().module(name, arguments), "asked": {"began": began, "ended": time.time()}}
