# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The controller's side of module totp_key_distribute: unseals what totp_key_merge has for the host, and makes the new login
that confirms the change."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._fresh_connection import answers_token_prompt
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._joining_action import JoiningAction
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._run_seal import unsealed_in_run
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.collected import Handout
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.handout import handout
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.of_action import (
    accounts_of,
    names_of,
    places_of,
    refuse_misplaced,
    store_of,
)


class ActionModule(JoiningAction):
    MODULE = "fleetmfa.ssh.totp_key_distribute"

    def arguments(self) -> dict[str, Any]:
        given = super().arguments()
        if "_stored" in given:
            raise AnsibleActionFail("_stored is no option: it is made here; take it out of the task")
        sealed = given.pop("handout", None)
        try:
            refuse_misplaced(given)
            people = given.pop("people", None)
            if (sealed is None) == (people is None):
                raise FleetMfaError("give either handout, as totp_key_merge has returned it, or people")
            stored = self._of_people(people) if sealed is None else self._of_run(sealed)
        except FleetMfaError as error:
            raise AnsibleActionFail(str(error)) from None
        self._used_until = {one["user"]: _used_until(one) for one in stored["people"]}
        return {**given, "_stored": stored}

    def apply(self) -> dict[str, Any]:
        """The login that confirms, and the next run's, cannot use a token that the host has just been told to refuse."""
        result = super().apply()
        if answers_token_prompt(self._connection) and not self._task.check_mode:
            self._connection.count_as_used(self._used_until)
        return result

    def _of_run(self, sealed: Any) -> dict[str, Any]:
        """What totp_key_merge decided for this host."""
        told: Handout = unsealed_in_run(sealed, "handout")
        if told["host"] != self._variables["inventory_hostname"]:
            raise FleetMfaError("handout: is that of another host; give handouts[inventory_hostname]")
        if "refused" in told:
            raise FleetMfaError(told["refused"])
        return {"store": told["store"], "people": told["people"]}

    def _of_people(self, people: object) -> dict[str, Any]:
        store, places = store_of(self, self._variables), places_of(self._variables)
        head = store.head
        names = names_of(accounts_of(people, places, head.aliases), places, head.aliases)
        records = store.read(sorted(set(names.values())))
        told = [handout(records[name], account) for account, name in names.items() if name in records]
        return {"store": head.id, "people": told}

    @property
    def _variables(self) -> dict[str, Any]:
        return self._task_vars or {}


def _used_until(person: dict[str, Any]) -> int:
    """The end of the latest time step that the person's keys have been used in, in seconds since 1970."""
    second = person["second"] or {"validated": None}
    keys = [key for key in (person["validated"], second["validated"]) if key]
    return max(((step + 1) * key["period"] for key in keys for step in key["burnt_steps"]), default=0)
