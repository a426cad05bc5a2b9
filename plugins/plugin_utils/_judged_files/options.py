# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The options of the actions about files in a folder: what they have in common. Private to the collection."""

from __future__ import annotations

import datetime
from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.options import given_exemptions
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import DEFAULT_GROUP
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.exemptions import exempt_today
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._action_arguments import read_arguments
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._judged_files.people import FleetGroups
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._refused_secrets import refuse_secrets

FOLDER_ARGUMENTS: dict[str, Any] = {
    "folder": {"type": "str", "required": True},
    "group": {"type": "str", "default": DEFAULT_GROUP},
    "exempt_users": {"type": "list", "elements": "raw", "default": []},
    "exempt_groups": {"type": "list", "elements": "raw", "default": []},
    "binary": {"type": "str"},
}


def read_folder_arguments(action: ActionBase, spec: dict[str, Any]) -> dict[str, Any]:
    """The task's arguments; `spec` has FOLDER_ARGUMENTS and what else the action takes."""
    refuse_secrets(action._task.args)
    given = read_arguments(action, spec)
    for option in ("folder", "group"):
        if not given[option]:
            raise FleetMfaError(f"{option}: is empty; name the {option}")
    return given


def fleet_of(given: dict[str, Any]) -> FleetGroups:
    """Whom the options make what, today."""
    exempt = exempt_today(given_exemptions(given), (), datetime.date.today())
    return FleetGroups(given["group"], frozenset(exempt.users), frozenset(exempt.groups))
