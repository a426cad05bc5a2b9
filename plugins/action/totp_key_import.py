# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The controller's side of module totp_key_import: adds what the host returned, sealed, to the key store."""

from __future__ import annotations

import json
import time
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.foreign_key import ForeignKey
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.sealed import new_seal, unsealed
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._secret_arguments import SecretArguments
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.import_into import import_into
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.import_report import refused_row
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.imported import ImportCandidate, candidate, rank
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.of_action import (
    names_of,
    places_of,
    refuse_misplaced,
    store_of,
)

_DEFAULT_WINDOW = 3


class ActionModule(ActionBase):
    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        try:
            refuse_misplaced(self._task.args)
            best = _best_of_run(self._task.args.get("rivals") or [])
            store = store_of(self, variables)
            head = store.head  # before the host is touched: a lost or undecryptable store stops the run here
            seal = new_seal()
            found = self._find(seal, variables)
            if found.get("failed"):
                return {**result, **found}
            keys: list[ForeignKey] = json.loads(unsealed(seal, found.pop("sealed")))
            refused = found.pop("refused")
            names = names_of([one["user"] for one in [*keys, *refused]], places_of(variables), head.aliases)
            host = str(variables["inventory_hostname"])
            rows = [refused_row(names[one["user"]], host=host, **one) for one in refused]
            told = import_into(store, self._candidates(keys, names, host), best, rows, bool(self._task.check_mode))
        except FleetMfaError as error:
            raise AnsibleActionFail(str(error), result={"changed": error.changed}) from None
        return {**result, **found, **told}

    def _find(self, seal: str, variables: dict[str, Any]) -> dict[str, Any]:
        if "seal" in self._task.args:
            raise FleetMfaError("seal: the action makes it; leave the option out")
        given = {name: value for name, value in self._task.args.items() if name != "rivals"}
        found: dict[str, Any] = self._execute_module(
            module_name="fleetmfa.ssh.totp_key_import",
            module_args=SecretArguments({**given, "seal": seal}),
            task_vars=variables,
        )
        found.pop("invocation", None)
        return found

    def _candidates(self, keys: list[ForeignKey], names: dict[str, str], host: str) -> list[ImportCandidate]:
        unused, window = self._task.args.get("unused", "pending"), int(self._task.args.get("window", _DEFAULT_WINDOW))
        return [candidate(names[one["user"]], one, host, unused, window, int(time.time())) for one in keys]


def _best_of_run(rivals: Any) -> dict[str, tuple[str, str]]:
    """Of the keys of each person that hosts of this run would import."""
    try:
        ordered = sorted((_rival(one) for one in rivals if one["imported"]), reverse=True)
    except (KeyError, TypeError, ValueError):
        raise FleetMfaError("rivals: give what this module has returned as imports, from all hosts") from None
    return {person: (key, host) for (*_rank, host, _user, key), person in ordered}


def _rival(one: dict[str, Any]) -> tuple[tuple[Any, ...], str]:
    last_used = None if one["last_used"] is None else int(one["last_used"])
    return rank(one["state"] == "validated", last_used, one["host"], one["user"], one["key"]), one["person"]
