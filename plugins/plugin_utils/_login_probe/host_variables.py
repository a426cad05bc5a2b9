# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Variables of the hosts that are probed. Private to the collection."""

from __future__ import annotations

from typing import Any, Iterable, Mapping

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.of_action import value_of


class HostVariables:
    """Those of a host in the inventory, or of the task, as far as the host has no such variable."""

    def __init__(self, action: ActionBase, host: str, task_vars: Mapping[str, Any]):
        self.host = host
        self._action, self._task_vars = action, task_vars
        hostvars = task_vars.get("hostvars", {})
        self.is_known = host in hostvars
        self._own: Mapping[str, Any] = hostvars[host] if self.is_known else {}

    def own(self, name: str) -> Any:
        """None if the host has no such variable."""
        try:
            return self._own.get(name)
        except AnsibleError as error:  # it may quote the template, and so the text next to a secret
            raise FleetMfaError(f"{name} of host {self.host}: cannot be computed ({type(error).__name__})") from None

    def given(self, names: Iterable[str]) -> dict[str, Any]:
        found = {name: self._value(name) for name in names}
        return {name: value for name, value in found.items() if value is not None}

    @property
    def places(self) -> list[str]:
        """Where aliases of the key store are looked for."""
        return [self.host, *map(str, self.own("group_names") or [])]

    def _value(self, name: str) -> Any:
        value = self.own(name)
        if value is None and name in self._task_vars:
            return value_of(self._action, name, self._task_vars[name])
        return value
