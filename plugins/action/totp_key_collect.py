# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The controller's side of module totp_key_collect: seals what the host returned for totp_key_merge."""

from __future__ import annotations

import json
import time
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._findings import Finding
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.sealed import new_seal, unsealed
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._entry_lists import read_keys
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._role_settings import SECRET
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._run_seal import sealed_for_run
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._secret_arguments import SecretArguments
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.collected import Collected
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.findings import reported
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.given_keys import OperatorKey, given_keys
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.of_action import (
    check_settings,
    places_of,
    refuse_misplaced,
    settings_of,
    value_of,
)

_CLOCK_SECONDS = 60


class ActionModule(ActionBase):
    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        host = str(variables["inventory_hostname"])
        try:
            refuse_misplaced(self._task.args)
            settings = settings_of(self, variables)
            check_settings(self, settings)  # before the host is asked
            given = self._given(variables)
            seal, before = new_seal(), time.time()
            found = self._collect(seal, variables)
            if found.get("failed"):
                return {**result, **found}
            offset = _offset(found.pop("clock"), before, time.time())
            keys = json.loads(unsealed(seal, found.pop("sealed")))
        except FleetMfaError as error:
            raise AnsibleActionFail(str(error), result={"changed": error.changed}) from None
        findings = reported(_findings(host, offset, found.pop("unusable")), self._display.warning)
        collected: Collected = {
            "host": host,
            "places": places_of(variables),
            "settings": settings,
            "accounts": found["accounts"],
            "keys": keys,
            "clock_is_off": abs(offset) > _CLOCK_SECONDS,
            "given": given,
        }
        told = {"collected": len(keys), "clock_offset": offset, "findings": findings}
        return {**result, **found, **told, "sealed": sealed_for_run(collected)}

    def _given(self, variables: dict[str, Any]) -> list[OperatorKey]:
        if not boolean(self._task.args.get("check_mfa_keys", False), strict=False):
            return []
        return given_keys(read_keys(value_of(self, SECRET, variables.get(SECRET, []))))

    def _collect(self, seal: str, variables: dict[str, Any]) -> dict[str, Any]:
        if "seal" in self._task.args:
            raise FleetMfaError("seal: the action makes it; leave the option out")
        arguments = SecretArguments({**self._task.args, "seal": seal})
        found: dict[str, Any] = self._execute_module(
            module_name="fleetmfa.ssh.totp_key_collect", module_args=arguments, task_vars=variables
        )
        found.pop("invocation", None)
        return found


def _offset(clock: float, before: float, after: float) -> int:
    """How far the host's clock is outside of the time that the call took; 0 if inside."""
    return int(clock - after if clock > after else min(0.0, clock - before))


def _findings(host: str, offset: int, unusable: dict[str, str]) -> list[Finding]:
    found = [Finding("key_not_collected", (f"{user} on {host}: {why}",)) for user, why in unusable.items()]
    if abs(offset) > _CLOCK_SECONDS:
        direction = "ahead of" if offset > 0 else "behind"
        found.append(
            Finding("host_clock_off", (f"the clock of {host} is {abs(offset)} s {direction} the controller's",))
        )
    return found
