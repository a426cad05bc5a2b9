# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The options that every module about keys has (documented in doc fragment `mfa_host`). Private to the collection."""

from __future__ import annotations

from typing import Any, Iterable, NamedTuple

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


class MfaHost(NamedTuple):
    """This host as its options (above) describe it: where its keys are and whose are enforced."""

    state_dir: StateDir
    group: EnforcedGroup
    exempt: Exemptions

    def enforce(self, join: Iterable[str] = (), leave: Iterable[str] = ()) -> bool:
        """Have these accounts asked for a token, and those not; whether that changed anything. The caller holds the lock.

        In this order a run that is killed leaves nobody on record who is not a member: such an account could not log in.
        """
        join, leave = set(join), set(leave)
        forgotten = self.state_dir.records.remove(leave, self.exempt)
        moved = self.group.update(join, leave)
        return self.state_dir.records.add(join, self.exempt) or moved or forgotten

    @classmethod
    def from_params(cls, params: dict[str, Any]) -> MfaHost:
        return cls(
            StateDir(params["state_dir"]),
            EnforcedGroup(params["group"]),
            Exemptions(params["exempt_users"], params["exempt_groups"]),
        )
