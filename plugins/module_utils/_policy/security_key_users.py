# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The part of module totp_host about users who log in with a security key instead of a token. Private.

sshd demands such a key of members of a group (docs/security_keys.md). Nobody gets in with less on the way: a user joins that group
when the key's file is there and sshd is proven to demand it, and is asked for the token until then; whoever leaves it is asked again
before.
"""

from __future__ import annotations

import functools
import os
from typing import Any, Callable, Iterable, Mapping, NamedTuple, TypedDict

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._findings import FindingsError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.options import HostOptions, MfaHost
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.state_dir import check_user_name
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.enforcing import ConfirmedOptions, Joining
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.managing_connection import ManagingConnection
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.accounts import named_accounts
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.binary import Sshd
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.config import SSHD_CONFIG, SshdConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.key_sources import KeySources
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.login import login
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.policy import PolicyReader
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.public_keys import security_key
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.security_keys import member_findings
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import (
    SECURITY_KEY_GROUP,
    EnforcedGroup,
    account_exists,
    known_as,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.file_set import (
    HostFileChange,
    apply_host_files,
    shown_diff,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.files import FileChange
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.steps import Step, run_steps

# AuthorizedKeysFile of the drop-in; with the rights of the user, sshd reads the files there.
FOLDER = "/etc/fleetmfa/security_keys"
SECURITY_KEYS_ARGUMENTS: dict[str, Any] = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "users": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "user": {"type": "str", "required": True},
            "keys": {"type": "list", "elements": "str", "required": True, "no_log": False},
        },
    },
}
_MOST_SHOWN = 10


class SecurityKeysWish(TypedDict):
    """The options above, as Ansible passes them."""

    state: str  # present or absent
    users: list[dict[str, Any]]


class KeysPartOptions(NamedTuple):
    """What the part `provisioning` is told in a run that knows who has a security key."""

    options: Mapping[str, Any]
    # Users of security keys no longer, who are asked for a token from now on.
    leavers: list[str]


def options_of_keys(options: Mapping[str, Any], listed: Iterable[str]) -> KeysPartOptions:
    """Of the group's members only those who are listed are exempt. Whoever is listed and enforced stays so until sshd demands the key."""
    settled: Any = options
    host, members = MfaHost.from_options(settled), EnforcedGroup(SECURITY_KEY_GROUP).members
    enforced, names = _enforced(host), set(map(known_as, listed))
    exempt = sorted(user for user in names if user in members or user not in enforced)
    leavers = [user for user in sorted(members - names) if host.state_dir.validated(user) is not None]
    wanted = {**_without_group(settled), "exempt_users": [*options["exempt_users"], *exempt]}
    return KeysPartOptions(wanted, leavers)


class _Plan(NamedTuple):
    files: list[FileChange]
    stale: list[FileChange]
    joining: list[str]
    released: list[str]  # from the token
    leaving: list[str]

    @property
    def changes(self) -> list[FileChange]:
        return [change for change in [*self.files, *self.stale] if change.changed]

    @property
    def is_change(self) -> bool:
        return bool(self.changes or self.joining or self.released or self.leaving)

    def words(self, enforced: str) -> str:
        told = [(self.joining, "joins", SECURITY_KEY_GROUP), (self.released, "leaves", enforced)]
        told.append((self.leaving, "leaves", SECURITY_KEY_GROUP))
        return "".join(f"{user}: {verb} {group}\n" for users, verb, group in told for user in users)


class SecurityKeyUsers:
    """One call."""

    def __init__(
        self,
        wish: SecurityKeysWish,
        options: ConfirmedOptions,
        connection: ManagingConnection,
        warn: Callable[[str], None],
    ):
        self._wish, self._options, self._connection = wish, options, connection
        self._host = MfaHost.from_options(options)
        self._joining = Joining(self._host, options, connection, warn)
        self._group = EnforcedGroup(SECURITY_KEY_GROUP)
        self._listed = _keys_by_user(wish["users"])

    def refuse(self, keys_follow: bool) -> None:
        """Before anything is changed. Without `keys_follow` no earlier part has users asked for a token who leave."""
        if not keys_follow:
            self._refuse_unasked(self._group.members - set(self._listed))
        self._refuse_own_account()

    def _refuse_own_account(self) -> None:
        """This run could not connect any more, and nothing would notice."""
        own = sorted((set(self._listed) - self._group.members).intersection(self._connection.accounts))
        if own:
            raise FleetMfaError(
                f"{' and '.join(own)}, which this run connects with, would be let in with a security key only, which somebody has to "
                "touch at each login. Nothing was changed; remove the account from mfa_security_keys, or connect as another one"
            )

    def run(self, check_mode: bool) -> dict[str, Any]:
        """The result of the module for this part."""
        plan = self._plan()
        if plan.is_change and not check_mode:
            with self._joining.turn(), self._host.state_dir.lock():
                plan = self._plan()  # once more, now that nobody else changes who is enforced
                self._apply(plan)
        words = plan.words(self._host.group.name)
        return {
            "changed": plan.is_change,
            "paths": [change.path for change in plan.changes],
            "joined": plan.joining,
            "left": plan.leaving,
            "released": plan.released,
            "diff": [*([{"prepared": words}] if words else []), *shown_diff(plan.changes)],
        }

    def _plan(self) -> _Plan:
        present = {user: keys for user, keys in self._listed.items() if account_exists(user)}
        members = self._group.members
        there = os.listdir(FOLDER) if os.path.isdir(FOLDER) else []
        return _Plan(
            files=[_file(user, keys) for user, keys in sorted(present.items())],
            stale=[_file(name, None) for name in sorted(there) if name not in self._listed],
            joining=sorted(set(present) - members),
            released=sorted(_enforced(self._host).intersection(present)),
            leaving=sorted(members - set(self._listed)),
        )

    def _apply(self, plan: _Plan) -> None:
        coming = {*plan.joining, *plan.released}
        self._refuse_unasked(plan.leaving)
        steps = [Step("the files of the security keys", functools.partial(_write, plan.files))]
        if coming:
            steps += [
                Step(f"group {self._group.name}", self._group.prepare),
                Step("the proof that sshd demands the keys", functools.partial(self._prove, coming)),
                Step(
                    f"{len(plan.joining)} users added to {self._group.name}", lambda: self._group.update(plan.joining)
                ),
            ]
        if plan.released:
            told = f"{len(plan.released)} users removed from {self._host.group.name}"
            steps.append(Step(told, lambda: self._host.enforce(leave=plan.released)))
        told = f"{len(plan.leaving)} users removed from {self._group.name}"
        steps.append(Step(told, lambda: self._group.update(leave=plan.leaving)))
        steps.append(Step("the files of other users", functools.partial(_write, plan.stale)))
        run_steps(steps)

    def _refuse_unasked(self, leaving: Iterable[str]) -> None:
        """Who has a validated key is asked for a token before the security key is no longer demanded."""
        if self._wish["state"] == "absent":
            return
        host = MfaHost.from_options(_without_group(self._options))
        unasked = [
            user
            for user in sorted(leaving)
            if account_exists(user)
            and host.state_dir.validated(user) is not None
            and user not in host.exempt
            and user not in host.group.members
        ]
        if unasked:
            raise FleetMfaError(
                f"{' and '.join(unasked[:_MOST_SHOWN])} would need neither a security key nor a token: a validated key is there, but "
                f"no membership of {host.group.name}. Run the whole role, or its entry point `keys` first"
            )

    def _prove(self, users: Iterable[str]) -> bool:
        """By this host's sshd and the files that are there now. False: nothing was changed."""
        sshd = Sshd()
        config = SshdConfig(SSHD_CONFIG, version=sshd.version)
        findings, shut_out = [], []
        with PolicyReader(sshd, config) as reader:
            for account, entry in sorted(named_accounts(config, self._group.name, users)):
                member = account.joined(self._group.name).left(self._host.group.name)
                logins = [login(reader, member, connection) for connection in reader.connections()]
                for one in filter(lambda each: each.is_admitted, logins):
                    findings += [(account.name, finding) for finding in member_findings(config, one)]
                    answer = KeySources(one.settings, entry, sshd.takes_private_groups).answer()
                    shut_out += [f"user {account.name!r}: {answer.reason}"] if answer.state == "cannot" else []
        if findings:
            raise FindingsError(
                [one._replace(evidence=tuple(f"{user}: {text}" for text in one.evidence)) for user, one in findings]
            )
        if shut_out:
            told = "; ".join(list(dict.fromkeys(shut_out))[:_MOST_SHOWN])
            raise FleetMfaError(f"users could not log in with their security keys: {told}")
        return False


def _enforced(host: MfaHost) -> set[str]:
    return host.group.members | host.state_dir.records.users()


def _without_group(options: HostOptions) -> HostOptions:
    groups = [group for group in options["exempt_groups"] if group != SECURITY_KEY_GROUP]
    return {**options, "exempt_groups": groups}


def _keys_by_user(wishes: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for number, wish in enumerate(wishes, 1):
        user = known_as(wish["user"])
        check_user_name(user)
        if user in found:
            raise FleetMfaError(f"security_keys, entry {number}: the account has an entry already; keep one of the two")
        found[user] = []
        for place, line in enumerate(wish["keys"], 1):
            try:
                found[user].append(security_key(line))
            except FleetMfaError as error:
                raise FleetMfaError(f"security_keys, entry {number}: key {place} {error}") from None
    return found


def _file(user: str, keys: Iterable[str] | None) -> FileChange:
    content = None if keys is None else "".join(f"{key}\n" for key in keys).encode()
    return HostFileChange(os.path.join(FOLDER, user), content, 0o644)


def _write(changes: list[FileChange]) -> bool:
    apply_host_files(changes)
    return any(change.changed for change in changes)
