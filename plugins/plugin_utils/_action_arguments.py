# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The arguments of an action that runs on the controller, without showing what it does not accept. Private to the collection."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._misplaced import masked


def read_arguments(action: ActionBase, spec: dict[str, Any]) -> dict[str, Any]:
    """As the argument spec wants them. Ansible's own error quotes values; the FleetMfaError has them masked."""
    try:
        _validation, arguments = action.validate_argument_spec(argument_spec=spec)
    except AnsibleError as error:
        raise FleetMfaError(masked(str(error), action._task.args)) from None
    return dict(arguments)
