# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Adds users to the enforced group under the same roll-back timer as a change of files. Private to the collection."""

from __future__ import annotations

import contextlib
import secrets
from typing import Callable, Iterable, Iterator, TypedDict

from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.options import HostOptions, MfaHost
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.settings import RANGES, check_ranges
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.config import PamConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.door_services import CONSOLE
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.own_services import own_services
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.console import refuse_no_console
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.first_factor import (
    judge,
    refuse,
    refused,
    text_for_operator,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.managing_connection import (
    ManagingConnection,
    refuse_to_ask,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._rollback.record import Members
from ansible_collections.fleetmfa.ssh.plugins.module_utils._rollback.rollout import Rollout, tell
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.key_sources import Answer
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import is_root

# Documented in doc fragment `confirmed`.
CONFIRMED_ARGUMENTS = {
    "confirm_timeout": {"type": "int", "default": RANGES["confirm_timeout"].default},
    "unknown_first_factor": {"type": "str"},
}


class ConfirmedOptions(HostOptions):
    """The options above and those of the host, as Ansible passes them; what was not given is settled."""

    confirm_timeout: int
    unknown_first_factor: str  # error or accept


class JoinResult(TypedDict, total=False):
    """What the controller learns about users waiting to become members; empty if there are none."""

    rollout_id: str
    confirm_timeout: int
    joining: list[str]
    rollback_by: str
    rollback_at: str


class Joining:
    """One call of a module that may add users to the group.

    `turn` encloses the whole change, `join` is called inside it, and `result` is for the controller. If the controller
    does not log in (local, docker, chroot), nothing could confirm the change, so users join immediately. Users who
    leave the group need no confirmation: being asked less locks nobody out.

    A module that finds nothing to change still takes its turn if `has_to_wait`, and judges again inside it: the members
    it saw may be those of a killed run, whose timer would take them out after a call that changed nothing. `took_back`
    then tells whether something was rolled back.
    """

    def __init__(
        self,
        host: MfaHost,
        options: ConfirmedOptions,
        connection: ManagingConnection,
        warn: Callable[[str], None],
    ):
        check_ranges(options)
        self._host = host
        self._connection = connection
        self._timeout = options["confirm_timeout"]
        self._rollout = Rollout(options["state_dir"])
        self._unknown = options["unknown_first_factor"]
        self._warn = warn
        self.took_back = False
        self.result: JoinResult = {}

    @property
    def has_to_wait(self) -> bool:
        return self._rollout.waits

    def refuse(self, users: Iterable[str]) -> None:
        """Refuse the call if `users`, who will be members after it, include somebody who could not answer the
        prompt, or nobody could log in at the console without a token any more."""
        users = set(users)
        refuse_to_ask(users, self._connection, self._host.group.name)
        if any(map(is_root, users - self._host.group.members)) and CONSOLE in own_services():
            refuse_no_console(PamConfig(), self._host.group.name, self._host.exempt, joining=users)

    def shut_out(self, users: Iterable[str]) -> dict[str, str]:
        """Those of the users who cannot pass the first factor, and why."""
        return {user: text_for_operator(one) for user, one in self._shut_out(users, None).items()}

    def refuse_shut_out(self, users: Iterable[str], factors: str | None) -> None:
        """Those who are to be members; `factors` is what a policy will ask of them that is not in force yet."""
        refuse(self._shut_out(users, factors))

    def _shut_out(self, users: Iterable[str], factors: str | None) -> dict[str, Answer]:
        # Who is enforced already may be broken by now, and must not stop a run that is about others: a finding.
        enforced = self._host.group.members | self._host.state_dir.records.users()
        return refused(judge(set(users) - enforced, self._host.group.name, factors), self._unknown)

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """Entered before the lock of the keys is taken, so that users who enroll do not wait for another controller's
        roll-out."""
        if not self._connection.logs_in and not self.has_to_wait:
            yield
            return
        with self._rollout.turn():
            earlier = self._rollout.earlier()
            self._rollout.settle()
            self.took_back = earlier is not None and earlier["outcome"] == "waiting"
            tell(earlier, "it has now been rolled back", self._warn)
            yield

    def join(self, users: Iterable[str]) -> bool:
        """Returns whether anything changed."""
        wanted, group, records = set(users), self._host.group, self._host.state_dir.records
        exempt = self._host.exempt
        joining = sorted(wanted - group.members)
        if not joining or not self._connection.logs_in:
            return self._host.enforce(join=wanted)
        records.add(wanted.difference(joining), exempt)
        rollout_id = secrets.token_hex(8)
        began = self._rollout.start(
            *(rollout_id, records.changes(joining, exempt), self._timeout, None),
            joining=Members(group=group.name, users=joining),
            caller=self._connection.caller(self._timeout),
        )
        self._host.state_dir.notices.joined(joining)
        self.result = {**began, "rollout_id": rollout_id, "confirm_timeout": self._timeout, "joining": joining}
        return True
