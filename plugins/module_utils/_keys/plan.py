# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Turns the wanted keys of many users into changes on a host, all checked before anything is written. Private.

The order guarantees two things wherever a run is killed: nobody is a member of the enforced group without a validated
key file (that would be a lock-out), and the next run finishes the change.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from typing import Callable, Container, Iterable, Iterator, TypedDict

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError, PartlyDoneError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._findings import Finding, FindingReport, merged
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.collection import is_locked
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.entry import KeyEntry, Keys
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.key_file import KeyFile, differences
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.options import MfaHost
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.owners import Leaver, Owners
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.problems import findings_in
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.second_keys import SecondKeys
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.state_dir import StateDir, check_user_name
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import (
    SharedUids,
    account_name,
    is_root,
    shared_uid_text,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.steps import Step, run_steps

_ERRORS_SHOWN = 20


class PlannedUser(TypedDict):
    """An entry of the return value `users` of module totp_key."""

    user: str
    state: str
    rotation_pending: bool
    changed: bool
    enforced: bool
    exempt: bool
    problems: list[FindingReport]


class UserPlan:
    """The keys of one user before and after, and whether the user is a member of the enforced group afterwards."""

    def __init__(
        self, entry: KeyEntry, host: MfaHost, owners: Owners, members: set[str], misspelled_members: dict[str, str]
    ):
        self.entry = entry
        self.user = entry.user
        self.misplaced = owners.misplaced_of(self.user)
        self.strangers = host.state_dir.strangers(self.user)
        self.second = SecondKeys(host.state_dir)
        self.before = Keys(owners.pending(self.user), owners.validated(self.user))
        self.after = entry.wanted(self.before)
        self.exempt = self.user in host.exempt
        self.was_enforced = self.user in members
        self.record_differs = False  # by exempt names with the same user id
        self.was_on_record = host.state_dir.records.has(self.user)
        self.enforced = self._is_enforced_then(host)
        self.drops_second = self._drops_second()
        self.misspelled = [name for name, account in misspelled_members.items() if account == self.user]
        self._unsafe = [name for name in ("pending", "keys") if host.state_dir.access_problem(name, self.user)]
        self._check_enforced_as_meant(host.group.name)

    def _check_enforced_as_meant(self, group: str) -> None:
        if self.misspelled and self.entry.state != "absent" and not self.after.validated and not self.exempt:
            names = " and ".join(self.misspelled)
            raise FleetMfaError(
                f"{group} has {names}, which is another spelling of this account: sshd asks nobody for a token "
                "because of this entry, and the account has no validated key. Validate one, or remove the name "
                f"(gpasswd -d {names} {group})"
            )

    def _is_enforced_then(self, host: MfaHost) -> bool:
        """Nobody leaves the group unless explicitly told to: a member who has lost the key stays denied."""
        if host.spares(self.user, self.was_enforced) or self.entry.state == "absent" or self.entry.released:
            return False
        return self.was_enforced or self.was_on_record or self.after.validated is not None

    def _drops_second(self) -> str | None:
        """Why a second device of this user counts no longer, if there is one and it does not."""
        if not self.second.has_any(self.user):
            return None
        if self.entry.state == "absent" or self.entry.released:
            return "removed"
        if self.after.validated is not None and is_locked(self.after.validated):
            return "removed, since the keys were revoked"
        stored = self.second.validated(self.user), self.second.pending(self.user)
        same = any(key is not None and key.same_key(self.after.validated) for key in stored)
        return "removed, since it is the user's first key now" if same else None

    @property
    def membership_changes(self) -> bool:
        return self.enforced != self.was_enforced or self.enforced != self.was_on_record or self.record_differs

    @property
    def why_denied(self) -> str | None:
        """Why every login will be denied, None if that is not so."""
        if not self.enforced:
            return None
        if self.after.validated is None:
            return "there is none"
        return "; ".join(self.after.validated.denials) or None

    def refuse_denied(self, host: MfaHost) -> None:
        """A known new key for a member who has lost the old one is accepted: logins are denied until it is
        validated."""
        why = self.why_denied
        if why and not self.entry.is_known_new_key:
            raise FleetMfaError(_denied(host.group.name, why))

    @property
    def changed(self) -> bool:
        moves = self.strangers or self.misplaced or self.misspelled or self._unsafe
        return self.before != self.after or self.membership_changes or bool(moves or self.drops_second)

    @property
    def leaving(self) -> list[str]:
        return self.misspelled + ([self.user] if self.membership_changes and not self.enforced else [])

    @property
    def joins(self) -> bool:
        return self.enforced and self.membership_changes

    def apply(self, state_dir: StateDir) -> None:
        try:
            self._write(state_dir)
        except (FleetMfaError, OSError) as error:
            moved = self.misplaced or self.strangers or self.drops_second
            if not moved and Keys(state_dir.pending(self.user), state_dir.validated(self.user)) == self.before:
                raise
            raise PartlyDoneError(str(error)) from error

    def _write(self, state_dir: StateDir) -> None:
        """Write what should exist before removing what should not, so that no key is lost on the way."""
        state_dir.put_strangers_away(self.user)
        self.second.put_strangers_away(self.user)
        for one in self.misplaced:
            one.put_right(state_dir)
        if self.drops_second:
            self.second.retire(self.user)
        if self.after.validated:
            state_dir.converge_validated(self.user, self._wanted_validated)
        if self.after.pending and (self.after.pending != self.before.pending or "pending" in self._unsafe):
            state_dir.save_pending(self.user, self.after.pending)
        if not self.after.validated:
            state_dir.converge_validated(self.user, lambda _current: None)
        if not self.after.pending:
            state_dir.remove_pending(self.user)
        if self.entry.state == "absent":
            state_dir.forget_logins(self.user)

    def _wanted_validated(self, current: KeyFile | None) -> KeyFile | None:
        return self.entry.wanted(Keys(self.before.pending, current)).validated

    def differences(self, group: str) -> list[str]:
        """Each change in words, without secrets."""
        words = [f"{name}/ has the key of a former account of that name; moved aside" for name in self.strangers]
        words += [str(one) for one in self.misplaced]
        words += [f"{name}, another spelling, leaves {group}" for name in self.misspelled]
        for name, before, after in zip(("pending key", "validated key"), self.before, self.after):
            words += key_differences(name, before, after)
        words += [f"second key {self.drops_second}"] if self.drops_second else []
        words += [f"owner and mode in {name}/ corrected" for name in self._unsafe]
        if self.enforced != self.was_enforced:
            words.append(f"joins {group}" if self.enforced else f"leaves {group}")
        if self.enforced != self.was_on_record:
            words.append("recorded as enforced" if self.enforced else "no longer recorded as enforced")
        return words

    def result(self) -> PlannedUser:
        return {
            "user": self.user,
            "state": self.after.state,
            "rotation_pending": None not in self.after,
            "changed": self.changed,
            "enforced": self.enforced,
            "exempt": self.exempt,
            "problems": self._problems(),
        }

    def _problems(self) -> list[FindingReport]:
        by_folder = (("pending", self.after.pending), ("keys", self.after.validated))
        found = [one for folder, key in by_folder if key for one in findings_in(key, folder, f"{folder}/{self.user}")]
        if self.enforced and self.after.validated is None:
            found.append(Finding("key_missing", ("every login is denied until the pending key is validated",)))
        return [finding.as_dict() for finding in merged(found)]


def plan(entries: list[KeyEntry], host: MfaHost, refuse_others: bool = True) -> list[UserPlan]:
    """Check every entry and determine the changes; one error names everything that is wrong.

    With `refuse_others` it also names members without a usable key who have no entry.
    """
    host.state_dir.check()
    members = host.group.members
    owners, misspelled_members = Owners(host.state_dir), host.group.misspelled()
    named = defaultdict(list)
    for entry in entries:
        named[entry.user].append(entry.named)
    plans, errors = [], []
    for entry in entries:
        try:
            check_entry_user(entry, named[entry.user])
            entry.check()
            plans.append(UserPlan(entry, host, owners, members, misspelled_members))
            plans[-1].refuse_denied(host)
        except FleetMfaError as error:
            errors.append(f"{entry.label}: {error}")
    errors += _shared_uids(plans, host, members)
    enforced = [one for one in plans if one.enforced and one.was_on_record]
    differing = {change.path for change in host.state_dir.records.changes([one.user for one in enforced], host.exempt)}
    for one in enforced:
        one.record_differs = host.state_dir.records.path(one.user) in differing
    if refuse_others:
        others = _denied_members(host, except_for={*named, *misspelled_members})
        errors += [f"user {user[:40]!r}: {_denied(host.group.name, why)}" for user, why in others.items()]
    refuse_if_any(errors)
    return plans


def apply(
    plans: Iterable[UserPlan],
    host: MfaHost,
    join: Callable[[list[str]], bool],
    gone: Iterable[Leaver] = (),
    seconds: Iterable[Step] = (),
) -> None:
    """Remove users from the group, write the files, then add users to the group with `join`. The caller holds the
    lock. `seconds` are the steps for second devices, which count beside first ones only."""
    plans = [one for one in plans if one.changed]
    group, state_dir = host.group, host.state_dir
    steps = [Step(f"the folders of {state_dir.path}", state_dir.prepare)]
    # First, since it is the most likely to fail: another program may hold the lock on the groups.
    if not group.exists or any(one.leaving or one.joins for one in plans):
        steps.insert(0, Step(f"group {group.name}", group.prepare))
    leaving = [name for one in plans for name in one.leaving]
    if leaving:
        steps.append(Step(f"{len(leaving)} users removed from {group.name}", lambda: host.enforce(leave=leaving)))
    steps += [Step(f"the keys of {one.user}", functools.partial(one.apply, state_dir)) for one in plans]
    steps += seconds
    for one in gone:
        steps.append(Step(f"a key of {one.name}", functools.partial(one.put_away, state_dir)))
    joining = [one.user for one in plans if one.enforced]
    if joining:
        steps += [
            Step("the keys on disk", state_dir.flush),
            Step(f"{len(joining)} users added to {group.name}", lambda: join(joining)),
        ]
    run_steps(steps)


def denied_users(plans: list[UserPlan], host: MfaHost) -> dict[str, str]:
    """Users whose every login is denied once the plans are applied, and why."""
    named = {one.user: one.why_denied for one in plans}
    found = {**named, **_denied_members(host, except_for={*named, *host.group.misspelled()})}
    return {user: why for user, why in found.items() if why}


def _denied_members(host: MfaHost, except_for: Container[str]) -> dict[str, str]:
    """Users who are enforced, by membership or by record, and denied at every login, and why.

    Exempt users are about to leave the group. An account that this host does not have cannot log in and stays a member,
    since a directory service may answer tomorrow.
    """
    enforced = host.group.members | host.state_dir.records.users()
    others = [user for user in sorted(enforced) if user not in except_for and not host.spares(user, True)]
    # A member under another spelling than the account's own has no effect and is handled separately.
    reasons = {user: host.state_dir.why_denied(user) for user in others if account_name(user) == user}
    return {user: why for user, why in reasons.items() if why}


def _denied(group: str, why: str) -> str:
    return (
        f"a member of {group} without a usable validated key ({why}), so every login stays denied. In keys, "
        "give the user state validated with a secret that the user's app has or will have; or rotated with a new "
        "secret, to be validated with two tokens; or absent, which lets the user in without a token. (present "
        "corrects owner and mode.)"
    )


def _shared_uids(plans: list[UserPlan], host: MfaHost, members: set[str]) -> Iterator[str]:
    """Another name with the user id of an enforced user must be enforced or explicitly exempt. Not so for root, who
    must not be locked out by this; sshd_policy_info reports it (uid_shared)."""
    settled = members | {one.user for one in plans if one.enforced}
    uids = SharedUids()
    for one in plans:
        unasked = [name for name in uids.other_names(one.user) if name not in settled and name not in host.exempt]
        if one.enforced and unasked and not is_root(one.user):
            yield f"user {one.user!r}: {shared_uid_text(unasked)}"


def check_entry_user(entry: KeyEntry, named: list[str]) -> None:
    check_user_name(entry.user)
    if len(named) > 1:
        spellings = sorted(set(named))
        as_what = f", as {' and '.join(spellings)}, which are the same account" if len(spellings) > 1 else ""
        raise FleetMfaError(f"named {len(named)} times{as_what}; give each user one entry for each device")
    if entry.lacks_account:
        raise FleetMfaError(
            "there is no such account on this host; create it first, remove the entry, or give it state absent; "
            "unknown_users=skip (mfa_unknown_users) skips such users"
        )


def refuse_if_any(errors: Iterable[str]) -> None:
    """One error names all that is wrong."""
    unique = list(dict.fromkeys(errors))
    if unique:
        more = f"; and {len(unique) - _ERRORS_SHOWN} more" if len(unique) > _ERRORS_SHOWN else ""
        shown = "; ".join(unique[:_ERRORS_SHOWN])
        raise FleetMfaError(f"nothing was changed, because of {len(unique)} errors: {shown}{more}")


def key_differences(name: str, before: KeyFile | None, after: KeyFile | None) -> list[str]:
    if before is None or after is None:
        return [] if before is after else [f"{name} {'created' if before is None else 'removed'}"]
    return [f"{name}: {difference}" for difference in differences(before, after)]
