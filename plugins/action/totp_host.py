# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The controller's side of module totp_host: has the part that waits confirmed by a new login, and calls the module again
for the parts that are left."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleConnectionFailure

from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.parts import PARTS
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._confirmed_action import (
    CONFIGURATION,
    JOINING,
    ConfirmedAction,
)

# What may wait for its confirmation.
_WAITING = {"provisioning": JOINING, "rollout": CONFIGURATION}
# Of a later call these come after those of an earlier one.
_LISTS = ("diff", "warnings", "deprecations")
_OF_TASK = ("failed", "msg", "rolled_back")


class ActionModule(ConfirmedAction):
    MODULE = "fleetmfa.ssh.totp_host"

    def act(self) -> dict[str, Any]:
        left = self.arguments()
        if left.get("rollout") is not None:
            self.refuse_without_login()
        # Once for all calls: they go over the same connection.
        left["_connection"] = self.connection_facts()
        result: dict[str, Any] = {}
        while True:
            answer = self._call(left, result)
            result = _merged(result, answer)
            waiting = [part for part in _WAITING if "rollout_id" in answer.get(part, {})]
            if not waiting or self._task.check_mode:
                return result
            (part,) = waiting  # it has ended the call
            result = _with_part(result, part, self.confirmed(answer[part], _WAITING[part]))
            left = {name: value for name, value in left.items() if name not in PARTS or name not in result}
            if result.get("failed") or not any(left.get(name) is not None for name in PARTS):
                return result

    def _call(self, left: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
        try:
            return self.applied(left)
        except AnsibleConnectionFailure as error:
            done = [words for part, words in PARTS.items() if part in before]
            if not done:
                raise
            told = f"{error.message} Done before that, and confirmed: {', '.join(done)}."
            raise AnsibleConnectionFailure(told) from error


def _merged(earlier: dict[str, Any], later: dict[str, Any]) -> dict[str, Any]:
    lists = {name: [*earlier.get(name, ()), *later.get(name, ())] for name in _LISTS if name in {*earlier, *later}}
    changed = bool(earlier.get("changed") or later.get("changed"))
    return {**earlier, **later, **lists, "changed": changed}


def _with_part(result: dict[str, Any], part: str, settled: dict[str, Any]) -> dict[str, Any]:
    """What is said of the whole task goes to the top: that the part was not confirmed, and why."""
    of_part = {name: value for name, value in settled.items() if name not in _OF_TASK}
    of_task = {name: settled[name] for name in _OF_TASK if name in settled}
    whole = {**result, part: of_part, **of_task}
    return {**whole, "changed": any(whole[name]["changed"] for name in PARTS if name in whole)}
