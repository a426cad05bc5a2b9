# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Validations of many users in one call: all are tried, and those that succeed are kept. Private to the collection."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Callable, TypedDict

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.options import MfaHost
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.refusals import TokenRefused
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.second_keys import SecondKeys, require_first
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.state_dir import StateDir, check_user_name
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.two_tokens import (
    require_judgeable,
    validate,
    well_formed_tokens,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._misplaced import shown
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import (
    SharedUids,
    account_exists,
    is_root,
    known_as,
    shared_uid_text,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.steps import Step, run_steps

Join = Callable[["list[str]"], bool]


class ValidationWish(TypedDict):
    """An entry of option `validations` of module totp_validate, as Ansible passes it."""

    user: str
    device: str | None  # the name of a second device
    tokens: list[str]


class RefusalReport(TypedDict, total=False):
    """Why a validation failed; `drift_seconds` and `wait_seconds` where they are the reason."""

    reason: str
    drift_seconds: int
    wait_seconds: int


class ValidationReport(RefusalReport, total=False):
    """An entry of the return value `users`; `device` is there for a second one."""

    user: str
    device: str
    validated: bool
    changed: bool
    enforced: bool
    exempt: bool


class UserValidation:
    """One user's validation: the two tokens and their result."""

    def __init__(self, number: int, user: str, device: str | None, tokens: list[str]):
        self.user = user
        self.device = device
        self.label = user if account_exists(user) else f"validations, entry {number}, user {shown(user)}"
        self.label += f", device {shown(device)}" if device else ""
        self.tokens = tokens
        self.error: FleetMfaError | None = None
        self.drift_seconds: int | None = None
        self.validated = False
        self.settled = False  # already validated, so the tokens were not checked
        self.moved = False
        self.was_enforced = self.enforced = self.exempt = False

    @property
    def changed(self) -> bool:
        return self.moved or self.enforced != self.was_enforced

    def result(self) -> ValidationReport:
        result: ValidationReport = {
            "user": self.user,
            "validated": self.validated,
            "changed": self.changed,
            "enforced": self.enforced,
            "exempt": self.exempt,
        }
        if self.device:
            result["device"] = self.device
        if self.drift_seconds is not None:
            result["drift_seconds"] = self.drift_seconds
        if self.error:
            return {**result, **_reason(self.error)}
        return result


class Validations:
    """`shut_out` says which of the users it is given could not log in any more as enforced users, and why."""

    def __init__(
        self,
        host: MfaHost,
        wishes: list[ValidationWish],
        now: float,
        shut_out: Callable[[list[str]], dict[str, str]] = lambda users: {},
    ):
        self._host = host
        self._shut_out = shut_out
        self._now = now
        self._lacked_folders_or_group = not (host.group.exists and host.state_dir.is_prepared)
        self.of_users = [
            UserValidation(number, known_as(wish["user"]), wish.get("device"), wish["tokens"])
            for number, wish in enumerate(wishes, 1)
        ]
        named = defaultdict(list)
        for wish in wishes:
            named[known_as(wish["user"]), wish.get("device")].append(wish["user"])
        twice = [" and ".join(sorted(set(names))) for names in named.values() if len(names) > 1]
        if twice:
            raise FleetMfaError(f"validations: {', '.join(twice[:10])} named more than once; give each user one entry")

    @property
    def failures(self) -> list[UserValidation]:
        return [one for one in self.of_users if one.error]

    @property
    def to_be_enforced(self) -> list[str]:
        """Users whom this call adds to the group if their tokens are right."""
        known = [one.user for one in self.of_users if account_exists(one.user)]
        members = self._host.group.members
        return [user for user in known if not self._host.spares(user, user in members)]

    def run(self, join: Join) -> None:
        """Files first, then the group (with `join`); nobody else changes keys in between.

        No token is checked, and so used up, if another program holds the lock on the groups.
        """
        group, state_dir = self._host.group, self._host.state_dir
        with state_dir.lock():
            try:
                run_steps(
                    [
                        Step(f"group {group.name}", self._prepare_group),
                        Step(f"the folders of {state_dir.path}", state_dir.prepare),
                        Step("the keys of those whose tokens were right", lambda: self._each(self._validate)),
                        Step("the keys on disk", state_dir.flush),
                        Step(f"who is in {group.name}", lambda: self._let_join_or_leave(join)),
                    ]
                )
            except FleetMfaError:
                members = group.members
                for one in self.of_users:
                    one.enforced = one.user in members
                raise

    def _prepare_group(self) -> bool:
        settled = self._host.group.exists and self._host.group.members.issuperset(one.user for one in self.of_users)
        return not settled and self._host.group.prepare()

    def _let_join_or_leave(self, join: Join) -> bool:
        leaving = [one.user for one in self.of_users if one.was_enforced and not one.enforced]
        left = self._host.enforce(leave=leaving)
        return join([one.user for one in self.of_users if one.enforced]) or left

    def predict(self) -> None:
        self._host.state_dir.check()
        self._each(self._foresee)

    def _each(self, step: Callable[[UserValidation], None]) -> bool:
        members, shut_out = self._host.group.members, self._shut_out(self.to_be_enforced)
        for one in self.of_users:
            try:
                _check(one)
                self._refuse_shared_uid(one, members)
                if one.user in shut_out:
                    raise TokenRefused("no_first_factor", shut_out[one.user])
                one.was_enforced = one.enforced = one.user in members
                one.exempt = one.user in self._host.exempt
                self._unless_settled(step, one)
                one.enforced = not self._host.spares(one.user, one.was_enforced)
            except FleetMfaError as error:
                one.error = error
        return any(one.moved for one in self.of_users)

    def _refuse_shared_uid(self, one: UserValidation, members: set[str]) -> None:
        uids, settled = SharedUids(), members | {other.user for other in self.of_users}
        unasked = [name for name in uids.other_names(one.user) if name not in settled | {one.user}]
        unasked = [name for name in unasked if name not in self._host.exempt]
        if unasked and one.user not in self._host.exempt and not is_root(one.user):
            raise FleetMfaError(shared_uid_text(unasked))

    def _unless_settled(self, step: Callable[[UserValidation], None], one: UserValidation) -> None:
        """A validated user with no pending key needs no token, so nobody can use this to try tokens."""
        keys = self._keys_of(one)
        if one.device:
            require_first(self._host.state_dir, keys, one.user, one.device)
        if keys.pending(one.user) is None and keys.validated(one.user) is not None:
            one.validated = one.settled = True
            return
        if keys.pending(one.user) is None and one.exempt:
            raise TokenRefused(
                "no_pending_key",
                "the user is exempt on this host (exempt_users, exempt_groups) and has no key to validate",
            )
        step(one)
        one.validated = one.moved = True

    def _validate(self, one: UserValidation) -> None:
        keys = self._keys_of(one)
        keys.put_strangers_away(one.user)
        first, second = one.tokens
        one.drift_seconds = validate(keys, one.user, first, second, self._now).drift_seconds

    def _keys_of(self, one: UserValidation) -> StateDir:
        return SecondKeys(self._host.state_dir) if one.device else self._host.state_dir

    def _foresee(self, one: UserValidation) -> None:
        well_formed_tokens(*one.tokens)
        require_judgeable(self._keys_of(one).pending(one.user), self._now)

    def message(self) -> str:
        named = [f"{one.label}: {_reason(one.error)['reason']} ({one.error})" for one in self.of_users if one.error]
        return f"{len(named)} of {len(self.of_users)} validations failed: {'; '.join(named[:20])}"

    def result(self) -> dict[str, Any]:
        changed = [one for one in self.of_users if one.changed]
        return {
            "changed": bool(changed) or self._lacked_folders_or_group,
            "users": [one.result() for one in self.of_users],
            "diff": {"prepared": "".join(self._words(one) for one in changed)},
        }

    def _words(self, one: UserValidation) -> str:
        words = [f"pending key{f' of {one.device}' if one.device else ''} validated"] if one.moved else []
        if one.enforced != one.was_enforced:
            words.append(f"{'joins' if one.enforced else 'leaves'} {self._host.group.name}")
        return f"{one.user}: {', '.join(words)}\n"


def _check(one: UserValidation) -> None:
    check_user_name(one.user)
    if not account_exists(one.user):
        raise FleetMfaError("there is no such account on this host")
    if len(one.tokens) != 2:
        raise TokenRefused(
            "malformed", f"{len(one.tokens)} tokens were given; two tokens from different time steps are needed"
        )


def _reason(error: FleetMfaError) -> RefusalReport:
    if not isinstance(error, TokenRefused):
        return {"reason": "error"}
    if error.reason == "clock_off":
        return {"reason": error.reason, "drift_seconds": error.seconds}
    if error.reason == "too_many_tries":
        return {"reason": error.reason, "wait_seconds": error.seconds}
    return {"reason": error.reason}
