# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The controller's side of module totp_key_distribute: reads the key store, and makes the new login that confirms the
change."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._joining_action import JoiningAction
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.handout import handout
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.of_action import (
    accounts_of,
    names_of,
    refuse_misplaced,
    store_of,
)


class ActionModule(JoiningAction):
    MODULE = "fleetmfa.ssh.totp_key_distribute"

    def arguments(self) -> dict[str, Any]:
        given = super().arguments()
        variables = self._task_vars or {}
        if "_stored" in given:
            raise AnsibleActionFail("_stored is no option: it is read in the key store; take it out of the task")
        try:
            refuse_misplaced(given)
            store = store_of(self, variables)
            head, accounts, of_people = store.head, given.get("accounts"), given.pop("people", None)
            if of_people is not None and accounts is None:
                accounts = accounts_of(of_people, variables, head.aliases)
            elif not isinstance(accounts, list) or of_people is not None:
                raise FleetMfaError("accounts: give the list that totp_key_collect has returned, or give people")
            names = names_of(map(str, accounts), variables, head.aliases)
            people = store.read(sorted(set(names.values())))
        except FleetMfaError as error:
            raise AnsibleActionFail(str(error)) from None
        handed_out = [handout(people[name], account) for account, name in names.items() if name in people]
        return {**given, "accounts": accounts, "_stored": {"store": head.id, "people": handed_out}}
