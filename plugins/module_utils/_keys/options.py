# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The options that every module about keys has (documented in doc fragment `mfa_host`). Private to the collection."""

from __future__ import annotations

from typing import Iterable, NamedTuple, TypedDict

from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.state_dir import DEFAULT_PATH, StateDir
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import (
    EnforcedGroup,
    Exemptions,
)

# What is not given of the last three is filled in by with_host_policy (`_enroll/root/policy.py`).
HOST_ARGUMENTS = {
    "state_dir": {"type": "path", "default": DEFAULT_PATH},
    "group": {"type": "str"},
    "exempt_users": {"type": "list", "elements": "str"},
    "exempt_groups": {"type": "list", "elements": "str"},
}


class GivenHostOptions(TypedDict):
    """The options above, as Ansible gives them; None: not given."""

    state_dir: str
    group: str | None
    exempt_users: list[str] | None
    exempt_groups: list[str] | None


class HostOptions(TypedDict):
    """The same with everything settled (with_host_policy)."""

    state_dir: str
    group: str
    exempt_users: list[str]
    exempt_groups: list[str]


class MfaHost(NamedTuple):
    """This host as its options (above) describe it: where its keys are and whose are enforced."""

    state_dir: StateDir
    group: EnforcedGroup
    exempt: Exemptions
    # Those of them who leave the group, None for all: lists that a call was not given release nobody.
    released: Exemptions | None = None

    def spares(self, user: str, is_member: bool) -> bool:
        """Whether the user is not to be asked for a token, because of an exemption."""
        lists = self.released if is_member and self.released is not None else self.exempt
        return user in lists

    def enforce(self, join: Iterable[str] = (), leave: Iterable[str] = ()) -> bool:
        """Have these accounts asked for a token, and those not; whether that changed anything. The caller holds the lock.

        In this order a run that is killed leaves nobody on record who is not a member: such an account could not log in.
        """
        join, leave = set(join), set(leave)
        forgotten = self.state_dir.records.remove(leave, self.exempt)
        moved = self.group.update(join, leave)
        return self.state_dir.records.add(join, self.exempt) or moved or forgotten

    @classmethod
    def from_options(cls, options: HostOptions, given: GivenHostOptions | None = None) -> MfaHost:
        """`given` is what a module itself was given, where that may be less than the options."""
        of_call = given or options
        return cls(
            StateDir(options["state_dir"]),
            EnforcedGroup(options["group"]),
            Exemptions(options["exempt_users"], options["exempt_groups"]),
            released=Exemptions(of_call["exempt_users"] or (), of_call["exempt_groups"] or ()),
        )
