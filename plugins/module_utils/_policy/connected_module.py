# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A module that knows how the controller reaches its host. Private to the collection."""

from __future__ import annotations

from ansible_collections.fleetmfa.ssh.plugins.module_utils._module import Module
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.managing_connection import ManagingConnection


class ConnectedModule(Module):
    """`connection` holds what the module's action plugin determined (plugin_utils/_connected_action.py).

    It arrives among the arguments as `_connection` and is removed before they are checked, because it is not an option:
    the action plugin refuses a task that sets it.
    """

    connection = ManagingConnection()

    def _load_params(self) -> None:
        super()._load_params()
        self.connection = ManagingConnection(**self.params.pop("_connection", {}))
