# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the fleetmfa.ssh authors
"""The options that every module about keys has (documented in doc fragment `mfa_host`). Private to the collection."""

from __future__ import annotations

from typing import Any, NamedTuple

from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.state_dir import DEFAULT_PATH, StateDir
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import (
    DEFAULT_GROUP,
    EnforcedGroup,
    Exemptions,
)

HOST_ARGUMENTS = {
    "state_dir": {"type": "path", "default": DEFAULT_PATH},
    "group": {"type": "str", "default": DEFAULT_GROUP},
    "exempt_users": {"type": "list", "elements": "str", "default": []},
    "exempt_groups": {"type": "list", "elements": "str", "default": []},
}


class Host(NamedTuple):
    """Where keys are on this host and whose are enforced."""

    state_dir: StateDir
    group: EnforcedGroup
    exempt: Exemptions

    @classmethod
    def from_params(cls, params: dict[str, Any]) -> Host:
        return cls(
            StateDir(params["state_dir"]),
            EnforcedGroup(params["group"]),
            Exemptions(params["exempt_users"], params["exempt_groups"]),
        )
