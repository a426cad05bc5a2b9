# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The controller's side of module totp_key_collect: merges what the host returned, sealed, into the key store."""

from __future__ import annotations

import json
import time
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._findings import Finding, merged
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.sealed import new_seal, unsealed
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._controller import controller_name
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._secret_arguments import SecretArguments
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.ingest import (
    Ingested,
    ingest,
    is_of_other_store,
    taken_in,
)
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.lifecycle import Rotation, overdue_recoveries
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.of_action import names_of, refuse_misplaced, store_of
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.person import Person
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.store import Store

_CLOCK_SECONDS = 60


class ActionModule(ActionBase):
    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        try:
            refuse_misplaced(self._task.args)
            store = store_of(self, variables)
            head = store.head  # before the host is touched: a lost or undecryptable store stops the run here
            seal, before = new_seal(), time.time()
            found = self._collect(seal, variables)
            if found.get("failed"):
                return {**result, **found}
            offset = _offset(found.pop("clock"), before, time.time())
            keys = json.loads(unsealed(seal, found.pop("sealed")))
            _refuse_other_store(keys, head.id)
            names = names_of([one["user"] for one in keys], variables, head.aliases)
            taken = self._merge(store, keys if abs(offset) <= _CLOCK_SECONDS else [], names, variables)
        except FleetMfaError as error:
            raise AnsibleActionFail(str(error), result={"changed": error.changed}) from None
        host = str(variables["inventory_hostname"])
        taken["findings"] = merged([*taken["findings"], *_host_findings(host, offset, found.pop("unusable"))])
        for finding in taken["findings"]:
            # Nobody reads the result of a run that went well, and some of these are said only once.
            self._display.warning(str(finding))
        taken["findings"] = [finding.as_dict() for finding in taken["findings"]]
        return {**result, **found, **taken, "collected": len(keys), "clock_offset": offset}

    def _collect(self, seal: str, variables: dict[str, Any]) -> dict[str, Any]:
        if "seal" in self._task.args:
            raise FleetMfaError("seal: the action makes it; leave the option out")
        arguments = SecretArguments({**self._task.args, "seal": seal})
        found: dict[str, Any] = self._execute_module(
            module_name="fleetmfa.ssh.totp_key_collect", module_args=arguments, task_vars=variables
        )
        found.pop("invocation", None)
        return found

    def _merge(
        self, store: Store, keys: list[dict[str, Any]], names: dict[str, str], variables: dict[str, Any]
    ) -> dict[str, Any]:
        known = store.read(sorted(set(names.values())))
        taken: Ingested = ingest(keys, names, str(variables["inventory_hostname"]), known)
        rotation = Rotation(int(self._task.args.get("key_max_age") or 0), int(time.time()), controller_name())

        def step(person: Person) -> Person:
            return rotation.applied(taken_in(person, taken.people.get(person.user, person)))

        after = {user: step(known.get(user) or Person(user)) for user in {*known, *taken.people}}
        changed = [user for user, one in after.items() if one != known.get(user)]
        if changed and not self._task.check_mode:
            changed = store.change(changed, step)
        words = [f"{user}: {_words(known.get(user), after[user])}\n" for user in sorted(changed)]
        return {
            "changed": bool(changed),
            "people": sorted(changed),
            "findings": [*taken.findings, *overdue_recoveries(after.values(), time.time())],
            "diff": {"prepared": "".join(words)},
        }


def _words(before: Person | None, after: Person) -> str:
    """What is new in a record, without secrets."""
    old = before.keys if before else {}
    new = [f"key {name} added" for name in after.keys if name not in old]
    if after.rotate_through > (before.rotate_through if before else 0):
        new.append("the key is too old and is to be replaced")
    return ", ".join(new) or "used tokens, spent recovery codes or drift added"


def _offset(clock: float, before: float, after: float) -> int:
    """How far the host's clock is outside of the time that the call took; 0 if inside."""
    return int(clock - after if clock > after else min(0.0, clock - before))


def _refuse_other_store(keys: list[dict[str, Any]], store: str) -> None:
    others = is_of_other_store(keys, store)
    if others:
        raise FleetMfaError(
            f"{len(others)} keys on this host came from another key store than the one of this run: mfa_store_path is "
            "wrong, or the store was lost and a new one begun; restore the store that the fleet's keys are in"
        )


def _host_findings(host: str, offset: int, unusable: dict[str, str]) -> list[Finding]:
    found = [Finding("key_not_collected", (f"{user} on {host}: {why}",)) for user, why in unusable.items()]
    if abs(offset) > _CLOCK_SECONDS:
        direction = "ahead of" if offset > 0 else "behind"
        found.append(
            Finding("host_clock_off", (f"the clock of {host} is {abs(offset)} s {direction} the controller's",))
        )
    return found
