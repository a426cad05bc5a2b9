# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The users of a host: whether each is asked for a token, since when, and whether the user may act as root. Private.

The facts about keys are those of module totp_key_info (_keys/report.py). Users without any file of theirs are not looked up one
by one, so that ten thousand accounts take a second.
"""

from __future__ import annotations

import datetime
import time
from typing import Iterator, Mapping, TypedDict

from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit.host_policy import midnight
from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.ids import key_id
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.key_file import KeyFile
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.options import MfaHost
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.report import EnrollmentOf, UserReport, report
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.second_keys import SecondKeys
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.state_dir import KEY_FOLDERS
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.account_lookup import account_of
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import (
    has_login_shell,
    human_accounts,
    known_as,
)

_TOKENS_TOLD = 20  # of a user, the newest


class UsedToken(TypedDict):
    key: str  # the id, as in the key store; it does not reveal the key
    step: int


class UserRow(TypedDict):
    """Times are UTC, ISO 8601; `recovery_codes` None without a key. `state`: none, pending, validated, enforced or exempt.

    `devices` counts those with a validated key. `can_log_in`: whether sshd could let the user in, by the keys and the password that
    there are; judged of administrators who are not enforced, None for others and where it cannot be known. `used_tokens`: the last
    ones that let the user in on this host.
    """

    user: str
    uid: int | None
    human: bool
    admin: list[str]
    state: str
    since: str | None
    last_login: str | None
    recovery_codes: int | None
    deadline: str | None
    overdue: bool
    devices: int
    can_log_in: bool | None
    used_tokens: list[UsedToken]


class Users:
    """Everybody who has a key, is enforced, is a person, or may act as root. `problems`: whose keys cannot be read, and why."""

    def __init__(self, host: MfaHost, enrollment_of: EnrollmentOf, admins: Mapping[str, list[str]]):
        self.problems: list[str] = []
        self._host, self._enrollment_of, self._admins = host, enrollment_of, admins
        self._members = host.group.members
        self._human = set(human_accounts())
        self._second_keys = second = SecondKeys(host.state_dir)
        self._second = set(second.users(*KEY_FOLDERS)) if second.exist else set()
        self._with_files = {known_as(user) for user in {*host.state_dir.users(), *self._second}}

    def rows(self) -> list[UserRow]:
        names = {*self._with_files, *map(known_as, self._members), *self._human, *self._admins}
        now = time.time()
        return [self._row(user, now) for user in sorted(names)]

    def _row(self, user: str, now: float) -> UserRow:
        account = account_of(user)
        enforced = user in self._members
        row: UserRow = {
            "user": user,
            "uid": account.pw_uid if account else None,
            "human": user in self._human,
            "admin": list(self._admins.get(user, ())),
            "state": "enforced" if enforced else "exempt" if user in self._host.exempt else "none",
            "since": None,
            "last_login": None,
            "recovery_codes": None,
            "deadline": None,
            "overdue": False,
            "devices": 0,
            "can_log_in": None,
            "used_tokens": [],
        }
        if user in self._with_files:
            try:
                told = report(user, self._host, self._members, {}, {}, self._enrollment_of, now)
                return {**_with_keys(row, told), "used_tokens": self._used_tokens(user)}
            except FleetMfaError as error:
                self.problems.append(f"user {user!r}: {error}")
        return row

    def _used_tokens(self, user: str) -> list[UsedToken]:
        keys = [
            self._host.state_dir.validated(user),
            self._second_keys.validated(user) if user in self._second else None,
        ]
        used: list[UsedToken] = [
            {"key": key_id(key.secret, key.period), "step": step}
            for key in keys
            if key is not None and key.secret is not None
            for step in key.login_steps
        ]
        return sorted(used, key=lambda one: one["step"])[-_TOKENS_TOLD:]


def _with_keys(row: UserRow, told: UserReport) -> UserRow:
    second, deadline = told["second_device"], told["enrollment_deadline"]
    return {
        **row,
        "state": row["state"] if row["state"] != "none" else told["state"],
        "since": told["since"],
        "last_login": told["last_mfa_login"],
        "recovery_codes": None if told["state"] == "none" else told["recovery_codes_left"],
        "deadline": midnight(datetime.date.fromisoformat(deadline)) if deadline else None,
        "overdue": told["status"] == "overdue",
        "devices": (told["state"] == "validated") + bool(second and second["state"] == "validated"),
    }


def can_have_session(user: str) -> bool:
    account = account_of(user)
    return account is not None and has_login_shell(account)


def validated_keys(host: MfaHost) -> Iterator[tuple[str, KeyFile]]:
    """Each validated key that can be read; of a second device with its name after the user's."""
    second = SecondKeys(host.state_dir)
    for state_dir, kind in ((host.state_dir, ""), (second, " (second device)")):
        for user in state_dir.users("keys") if state_dir is host.state_dir or second.exist else ():
            try:
                key = state_dir.validated(user)
            except FleetMfaError:
                continue  # which is a finding already (key_unreadable)
            if key is not None:
                yield f"{user}{kind}", key
