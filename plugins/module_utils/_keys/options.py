# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The options that all modules about keys have (documented in doc fragment `mfa_host`). Private to the collection."""

from __future__ import annotations

import datetime
from typing import Any, Iterable, Mapping, NamedTuple, TypedDict

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.state_dir import DEFAULT_PATH, StateDir
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import (
    EnforcedGroup,
    Exemptions,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.exemptions import (
    OPTIONS,
    Exemption,
    exempt_today,
    exemptions,
)

# If one of the last three is not given, with_host_policy (`_enroll/root/policy.py`) supplies it.
HOST_ARGUMENTS = {
    "state_dir": {"type": "path", "default": DEFAULT_PATH},
    "group": {"type": "str"},
    "exempt_users": {"type": "list", "elements": "raw"},
    "exempt_groups": {"type": "list", "elements": "raw"},
}


class GivenHostOptions(TypedDict):
    """The options above, as Ansible passes them; None if not given. The lists have names and entries (Exemption)."""

    state_dir: str
    group: str | None
    exempt_users: list[Any] | None
    exempt_groups: list[Any] | None


class HostOptions(TypedDict):
    """The same with all values determined (with_host_policy); the lists have the names that count today."""

    state_dir: str
    group: str
    exempt_users: list[str]
    exempt_groups: list[str]


def given_exemptions(given: Mapping[str, Any]) -> list[Exemption]:
    """Those of the lists that were given; a FleetMfaError names the option and the entry."""
    found = []
    for kind, option in OPTIONS.items():
        try:
            found += exemptions(kind, given[option] or ())
        except FleetMfaError as error:
            raise FleetMfaError(f"{option}: {error}") from None
    return found


class MfaHost(NamedTuple):
    """This host as described by the options above: where its keys are, and who is enforced."""

    state_dir: StateDir
    group: EnforcedGroup
    exempt: Exemptions
    # Exempt users who leave the group, None for all of them: lists that were not given release nobody.
    released: Exemptions | None = None

    def spares(self, user: str, is_member: bool) -> bool:
        """Whether the user must not be asked for a token because of an exemption."""
        lists = self.released if is_member and self.released is not None else self.exempt
        return user in lists

    def enforce(self, join: Iterable[str] = (), leave: Iterable[str] = ()) -> bool:
        """Make these accounts enforced and those not. Returns whether anything changed. The caller holds the lock.

        With this order, a killed run leaves nobody recorded who is not a member: such an account could not log in.
        """
        join, leave, before = set(join), set(leave), self.group.members
        forgotten = self.state_dir.records.remove(leave, self.exempt)
        moved = self.group.update(join, leave)
        if moved:
            self.state_dir.notices.membership_changed(before, self.group.members, self.exempt)
        return self.state_dir.records.add(join, self.exempt) or moved or forgotten

    @classmethod
    def from_options(cls, options: HostOptions, given: GivenHostOptions | None = None) -> MfaHost:
        """`given` is what a module itself was given, where that may be less than the options."""
        of_call = exempt_today(given_exemptions(given or options), (), datetime.date.today())
        return cls(
            StateDir(options["state_dir"]),
            EnforcedGroup(options["group"]),
            Exemptions(options["exempt_users"], options["exempt_groups"]),
            released=Exemptions(*of_call),
        )
