# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The controller's side of module totp_key_distribute: unseals what totp_key_merge has for the host, and makes the new login
that confirms the change."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._joining_action import JoiningAction
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._run_seal import unsealed_in_run
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.collected import Handout
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.of_action import refuse_misplaced


class ActionModule(JoiningAction):
    MODULE = "fleetmfa.ssh.totp_key_distribute"

    def arguments(self) -> dict[str, Any]:
        given = super().arguments()
        if "_stored" in given:
            raise AnsibleActionFail("_stored is no option: it is in the handout; take it out of the task")
        sealed = given.pop("handout", None)
        try:
            refuse_misplaced(given)
            handout: Handout = unsealed_in_run(sealed, "handout")
            if handout["host"] != (self._task_vars or {})["inventory_hostname"]:
                raise FleetMfaError("handout: is that of another host; give handouts[inventory_hostname]")
            if "refused" in handout:
                raise FleetMfaError(handout["refused"])
        except FleetMfaError as error:
            raise AnsibleActionFail(str(error)) from None
        # The option is required, but the host has no use for what it cannot unseal.
        return {**given, "handout": "", "_stored": {"store": handout["store"], "people": handout["people"]}}
