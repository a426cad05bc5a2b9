# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""An action whose change is confirmed through a new login, and rolled back otherwise. Private to the collection."""

from __future__ import annotations

import contextlib
import signal
import time
from types import FrameType
from typing import Any, Callable, Iterator, NamedTuple

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._connected_action import ConnectedAction
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._fresh_connection import fresh_connection, require_login
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._ssh_totp.failures import with_reasons_of_drop

# This module has the phases that confirm and roll back, regardless of which module has started.
_ROLLOUT = "fleetmfa.ssh.totp_rollout"
# An sshd that has just been reloaded refuses connections for a moment.
_LOGIN_ATTEMPTS = 3
_PAUSE = 1


class _LoginHangs(BaseException):
    """Not an Exception, since connection plugins catch those and try again."""


class Change(NamedTuple):
    """A kind of change, in words for a message, and the parts of its result that are others after it was rolled back."""

    words: str
    taken_back: str
    after_rollback: Callable[[dict[str, Any]], dict[str, Any]]


def _not_joined(result: dict[str, Any]) -> dict[str, Any]:
    joined = result["joining"]
    return {"users": [{**one, "enforced": one["enforced"] and one["user"] not in joined} for one in result["users"]]}


# Of a module that may make users members of the enforced group.
JOINING = Change(
    "the membership of the users to be asked for a token",
    "they are not asked for a token, their keys stay as they are, and the next run tries again",
    _not_joined,
)
# Of PAM and sshd.
CONFIGURATION = Change("the new configuration", "the old configuration is restored", lambda _result: {"changed": False})


class ConfirmedAction(ConnectedAction):
    """A result with a `rollout_id` is a change that waits on the host for its confirmation."""

    CHANGE: Change

    def act(self) -> dict[str, Any]:
        return self.confirmed(self.apply(), self.CHANGE)

    def apply(self) -> dict[str, Any]:
        return self.applied({**self.arguments(), "_connection": self.connection_facts()})

    def applied(self, arguments: dict[str, Any]) -> dict[str, Any]:
        try:
            return self.module(self.MODULE, arguments)
        except AnsibleConnectionFailure as error:
            raise AnsibleConnectionFailure(
                f"{error.message} If anything was changed by then, the host rolls it back by itself (option "
                "confirm_timeout)."
            ) from error

    def refuse_without_login(self) -> None:
        """Before a change of PAM and sshd, unless option confirm_without_login permits it."""
        if boolean(self._task.args.get("confirm_without_login", False), strict=False):  # the module says what is wrong
            return
        try:
            require_login(self._connection, "confirm_without_login")
        except FleetMfaError as error:
            raise AnsibleActionFail(str(error)) from None

    def confirmed(self, result: dict[str, Any], change: Change) -> dict[str, Any]:
        """The result, after the host was made to keep the change, by telling it so through a new login."""
        if self._task.check_mode or "rollout_id" not in result:
            return result
        problem = (
            self._confirm_by_login(result["rollout_id"], result["confirm_timeout"] // 2)
            if self.logs_in
            else self._confirm_directly(result["rollout_id"])
        )
        if problem is None:
            return {**result, "confirmed": True}
        return self._give_up(result, change, problem)

    def _confirm_directly(self, rollout_id: str) -> str | None:
        confirmation = self._phase(rollout_id, "confirm")
        return confirmation["msg"] if confirmation.get("failed") else None

    def _confirm_by_login(self, rollout_id: str, seconds: int) -> str | None:
        """What went wrong, None if the host was told. It may use half of the time; the rest is for rolling back."""
        problem = None
        try:
            with self._patience(seconds):
                for attempt in range(_LOGIN_ATTEMPTS):
                    if attempt:
                        time.sleep(_PAUSE)
                    try:
                        return self._confirm_through_new_login(rollout_id)
                    except Exception as error:  # whatever happened, it was no login; the host must be told to roll back
                        problem = with_reasons_of_drop(str(error))
        except _LoginHangs:
            problem = f"no answer within {seconds} seconds"
        return problem

    def _confirm_through_new_login(self, rollout_id: str) -> str | None:
        usual = self._connection
        with fresh_connection(usual, self._play_context) as fresh:
            self._connection = fresh
            try:
                problem = self._confirm_directly(rollout_id)
                self._remove_tmp_path(fresh._shell.tmpdir)
            finally:
                self._connection = usual
        return problem

    def _phase(self, rollout_id: str, phase: str) -> dict[str, Any]:
        arguments = {"phase": phase, "rollout_id": rollout_id}
        if "state_dir" in self._task.args:
            arguments["state_dir"] = self._task.args["state_dir"]
        return self.module(_ROLLOUT, arguments)

    @contextlib.contextmanager
    def _patience(self, seconds: int) -> Iterator[None]:
        """Give up on a login that hangs, unless the task has its own timeout (which uses the same alarm)."""
        if self._task.timeout:
            yield
            return

        def give_up(number: int, frame: FrameType | None) -> None:
            raise _LoginHangs

        before = signal.signal(signal.SIGALRM, give_up)
        signal.alarm(seconds)
        try:
            yield
        finally:
            signal.alarm(0)
            signal.signal(signal.SIGALRM, before)

    def _give_up(self, result: dict[str, Any], change: Change, problem: str) -> dict[str, Any]:
        """Roll back immediately over the existing connection; if that fails, leave it to the host."""
        told = f"{change.words} was applied, but could not be confirmed through a new login ({problem})"
        try:
            rollback = self._phase(result["rollout_id"], "rollback")
        except Exception as error:
            rollback = {"failed": True, "msg": str(error)}
        if rollback.get("confirmed"):
            return {**result, "confirmed": True}
        if not rollback.get("failed"):
            told = f"{told}; {change.taken_back}"
            return {**result, "failed": True, "rolled_back": True, "msg": told, **change.after_rollback(result)}
        return {
            **result,
            "failed": True,
            "rolled_back": False,
            "msg": (
                f"{told}, nor rolled back over the old connection ({rollback['msg']}); the host will roll it back by "
                f"itself at {result['rollback_at']}"
            ),
        }
