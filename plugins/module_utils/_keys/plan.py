# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the fleetmfa.ssh authors
"""From the wanted keys of many users to the changes on a host, checked as a whole before anything is written. Private.

The order keeps two promises at every point where a run may be killed: nobody is a member of the enforced group without
a validated key file (that would be a lock-out), and the next run finishes what this one began.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Iterable

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.entry import KeyEntry, Keys
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.key_file import KeyFile, differences
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.options import Host
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.state_dir import StateDir, check_user_name

_ERRORS_SHOWN = 20


class UserPlan:
    """The keys of one user before and after, and whether the user is a member of the enforced group then."""

    def __init__(self, entry: KeyEntry, host: Host, members: set[str]):
        self.entry = entry
        self.user = entry.user
        self.before = Keys(host.state_dir.pending(self.user), host.state_dir.validated(self.user))
        self.after = entry.wanted(self.before)
        self.exempt = self.user in host.exempt
        self.was_enforced = self.user in members
        self.enforced = self.after.validated is not None and not self.exempt
        self._unsafe = [name for name in ("pending", "keys") if host.state_dir.access_problem(name, self.user)]

    @property
    def changed(self) -> bool:
        return self.before != self.after or self.enforced != self.was_enforced or bool(self._unsafe)

    def apply(self, state_dir: StateDir) -> None:
        """What shall be is written before what shall not be is removed, so that no key is lost on the way."""
        if self.after.validated:
            state_dir.converge_validated(self.user, self._wanted_validated)
        if self.after.pending and (self.after.pending != self.before.pending or "pending" in self._unsafe):
            state_dir.save_pending(self.user, self.after.pending)
        if not self.after.validated:
            state_dir.converge_validated(self.user, lambda _current: None)
        if not self.after.pending:
            state_dir.remove_pending(self.user)

    def _wanted_validated(self, current: KeyFile | None) -> KeyFile | None:
        return self.entry.wanted(Keys(self.before.pending, current)).validated

    def differences(self, group: str) -> list[str]:
        """Each change in words, without a secret."""
        words = []
        for name, before, after in zip(("pending key", "validated key"), self.before, self.after):
            words += _differences(name, before, after)
        words += [f"owner and mode in {name}/ corrected" for name in self._unsafe]
        if self.enforced != self.was_enforced:
            words.append(f"joins {group}" if self.enforced else f"leaves {group}")
        return words

    def result(self) -> dict[str, Any]:
        return {
            "user": self.user,
            "state": self.after.state,
            "rotation_pending": None not in self.after,
            "changed": self.changed,
            "enforced": self.enforced,
            "exempt": self.exempt,
            "problems": [problem for key in self.after if key for problem in key.problems],
        }


def plan(entries: list[KeyEntry], host: Host) -> list[UserPlan]:
    """Check every entry and find what has to change; one error names everything that is wrong."""
    host.state_dir.check()
    members = host.group.members
    times_named = Counter(entry.user for entry in entries)
    plans, errors = [], []
    for entry in entries:
        try:
            _check_user(entry, times_named)
            entry.check()
            plans.append(UserPlan(entry, host, members))
        except FleetMfaError as error:
            errors.append(f"user {entry.user[:40]!r}: {error}")
    if errors:
        raise FleetMfaError(_all_in_one(errors))
    return plans


def apply(plans: Iterable[UserPlan], host: Host) -> None:
    """Out of the group, then the files, then into the group. The caller holds the lock."""
    plans = [one for one in plans if one.changed]
    host.group.create()
    host.state_dir.prepare()
    host.group.update(leave=[one.user for one in plans if not one.enforced])
    for one in plans:
        one.apply(host.state_dir)
    host.state_dir.flush()
    host.group.update(join=[one.user for one in plans if one.enforced])


def _check_user(entry: KeyEntry, times_named: Counter) -> None:
    check_user_name(entry.user)
    if times_named[entry.user] > 1:
        raise FleetMfaError(f"named {times_named[entry.user]} times; give each user one entry")
    if entry.lacks_account:
        raise FleetMfaError("there is no such account on this host; create it first, or remove the entry")


def _all_in_one(errors: list[str]) -> str:
    unique = list(dict.fromkeys(errors))
    more = f"; and {len(unique) - _ERRORS_SHOWN} more" if len(unique) > _ERRORS_SHOWN else ""
    return f"nothing was changed, because of {len(unique)} bad entries: {'; '.join(unique[:_ERRORS_SHOWN])}{more}"


def _differences(name: str, before: KeyFile | None, after: KeyFile | None) -> list[str]:
    if before is None or after is None:
        return [] if before is after else [f"{name} {'created' if before is None else 'removed'}"]
    return [f"{name}: {difference}" for difference in differences(before, after)]
