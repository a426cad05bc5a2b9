# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Merges what all hosts of the batch returned into the key store; see the documentation in plugins/modules/totp_key_merge.py."""

from __future__ import annotations

import json
import time
from typing import Any, Iterator

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.settings import RANGES, check_range
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._controller import controller_name
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._run_seal import sealed_for_run, unsealed_in_run
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.batch import Batch
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.collected import Collected
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.findings import reported
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.lifecycle import Rotation
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.of_action import refuse_misplaced, store_of


class ActionModule(ActionBase):
    """Runs only on the controller, once for all hosts: opening a large store takes longer than the rest of a sync."""

    BYPASS_HOST_LOOP = True  # strategy free, which cannot do that, refuses the task
    _requires_connection = False
    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        try:
            collected = self._collected(task_vars or {})
            rotation = Rotation(_days(self._task.args.get("key_max_age")), int(time.time()), controller_name())
            # All are opened before the first one is changed: a lost or undecryptable store stops the run.
            batches = [Batch(store_of(self, hosts[0]["settings"]), hosts, rotation) for hosts in _by_store(collected)]
            merged = [batch.merge(self._task.check_mode) for batch in batches]
        except FleetMfaError as error:
            raise AnsibleActionFail(str(error), result={"changed": error.changed}) from None
        changes = {user: words for one in merged for user, words in one.changes.items()}
        handouts = {host: told for one in merged for host, told in one.handouts.items()}
        findings = reported((finding for one in merged for finding in one.findings), self._display.warning)
        result.update(
            changed=bool(changes),
            people=sorted(changes),
            findings=findings,
            refused={host: told["refused"] for host, told in handouts.items() if "refused" in told},
            handouts={host: sealed_for_run(told) for host, told in handouts.items()},
            diff={"prepared": "".join(f"{user}: {words}\n" for user, words in sorted(changes.items()))},
        )
        return result

    def _collected(self, variables: dict[str, Any]) -> list[Collected]:
        refuse_misplaced(self._task.args)
        if {*self._task.args} - {"key_max_age"} != {"registered"}:  # core would name what it does not know
            raise FleetMfaError(
                "the options are registered, the variable that totp_key_collect has registered, and key_max_age"
            )
        name = str(self._task.args["registered"])
        found = list(_returned(name, variables))
        if not found:
            raise FleetMfaError("registered: no host has a result of totp_key_collect in the variable of this name")
        return [unsealed_in_run(text, "registered") for text in found]


def _days(value: Any) -> int:
    try:
        days = int(RANGES["key_max_age"].default if value is None else value)
    except (TypeError, ValueError):
        raise FleetMfaError("key_max_age (mfa_key_max_age): must be a whole number of days") from None
    check_range("key_max_age", days)
    return days


def _returned(name: str, variables: dict[str, Any]) -> Iterator[str]:
    for host in variables["ansible_play_batch"]:
        registered = variables["hostvars"][host].get(name)
        if isinstance(registered, dict) and "sealed" in registered:
            yield registered["sealed"]


def _by_store(collected: list[Collected]) -> list[list[Collected]]:
    """The hosts of each store; all have the same, unless variables differ from host to host."""
    found: dict[str, list[Collected]] = {}
    for one in collected:
        found.setdefault(json.dumps(one["settings"], sort_keys=True), []).append(one)
    return [*found.values()]
