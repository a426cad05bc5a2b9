# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the fleetmfa.ssh authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The controller's side of a roll-out: apply, log in anew, confirm through that login. The host's side is the module."""

from __future__ import annotations

import contextlib
import secrets
import signal
import time
from types import FrameType
from typing import Any, Iterator

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase

from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._fresh_connection import (
    answers_token_prompt,
    fresh_connection,
    logs_in,
)

_MODULE = "fleetmfa.ssh.totp_rollout"
# sshd that has just been reloaded refuses connections for a moment.
_LOGIN_ATTEMPTS = 3
_PAUSE = 1


class _LoginHangs(BaseException):
    """Not an Exception: connection plugins catch those, and try again."""


class ActionModule(ActionBase):
    _supports_check_mode = True
    _supports_diff = True
    _connection: Any  # of ActionBase, which has no types

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        self._task_vars = task_vars
        if self._task.args.get("phase", "apply") != "apply":
            return self._phase(**self._task.args)
        self._refuse_without_login()
        rollout_id = secrets.token_hex(8)
        result = self._apply(rollout_id)
        if result.get("failed") or "rollout_id" not in result:
            return result
        return self._confirm(rollout_id, result)

    def _phase(self, **arguments: Any) -> dict[str, Any]:
        return self._execute_module(module_name=_MODULE, module_args=arguments, task_vars=self._task_vars)

    @property
    def _without_login(self) -> bool:
        return not logs_in(self._connection)

    def _refuse_without_login(self) -> None:
        if self._without_login and not boolean(self._task.args.get("confirm_without_login", False)):
            raise AnsibleActionFail(
                f"a roll-out is confirmed by a new SSH login, and connection '{self._connection.transport}' does not log in; "
                "connect with ssh, or set confirm_without_login to do without that proof"
            )

    def _apply(self, rollout_id: str) -> dict[str, Any]:
        arguments = {
            **self._task.args,
            "phase": "apply",
            "rollout_id": rollout_id,
            "connected_as": None if self._without_login else self._login_account(),
            "token_connection": answers_token_prompt(self._connection),
        }
        try:
            return self._phase(**arguments)
        except AnsibleConnectionFailure as error:
            raise AnsibleConnectionFailure(
                f"{error.message} What was changed by then, if anything, the host puts back by itself (option confirm_timeout)."
            ) from error

    def _login_account(self) -> str:
        """The account that sshd lets in; when neither inventory nor options name it, ssh's own configuration does."""
        with contextlib.suppress(KeyError):
            account = self._connection.get_option("remote_user")
            if account:
                return account
        account = self._low_level_execute_command("id -un", sudoable=False)["stdout"].strip()
        if not account:
            raise AnsibleActionFail("cannot tell which account of the host this run connects with; set ansible_user")
        return account

    def _confirm(self, rollout_id: str, result: dict[str, Any]) -> dict[str, Any]:
        """Have the host keep the change, if it can be told so through a login that it lets in now."""
        problem = (
            self._confirm_directly(rollout_id)
            if self._without_login
            else self._confirm_by_login(rollout_id, result["confirm_timeout"] // 2)
        )
        if problem is None:
            return {**result, "confirmed": True}
        return self._give_up(rollout_id, result, problem)

    def _confirm_directly(self, rollout_id: str) -> str | None:
        confirmation = self._phase(**self._named(rollout_id, "confirm"))
        return confirmation["msg"] if confirmation.get("failed") else None

    def _confirm_by_login(self, rollout_id: str, seconds: int) -> str | None:
        """What went wrong, None if the host was told. Half of its time, and the rest is left for rolling back."""
        problem = None
        try:
            with self._patience(seconds):
                for attempt in range(_LOGIN_ATTEMPTS):
                    if attempt:
                        time.sleep(_PAUSE)
                    try:
                        return self._confirm_through_new_login(rollout_id)
                    except Exception as error:  # whatever it is, it was no login; the host has to be told to roll back
                        problem = str(error)
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

    def _named(self, rollout_id: str, phase: str) -> dict[str, Any]:
        arguments = {"phase": phase, "rollout_id": rollout_id}
        if "state_dir" in self._task.args:
            arguments["state_dir"] = self._task.args["state_dir"]
        return arguments

    @contextlib.contextmanager
    def _patience(self, seconds: int) -> Iterator[None]:
        """Give up a login that hangs, unless the task has a timeout of its own (which uses the same alarm)."""
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

    def _give_up(self, rollout_id: str, result: dict[str, Any], problem: str) -> dict[str, Any]:
        """Have the old configuration put back at once over the connection that still stands, else leave it to the host."""
        told = f"the new configuration was applied, but could not be confirmed through a new login ({problem})"
        try:
            rollback = self._phase(**self._named(rollout_id, "rollback"))
        except Exception as error:
            rollback = {"failed": True, "msg": str(error)}
        if rollback.get("confirmed"):
            return {**result, "confirmed": True}
        if not rollback.get("failed"):
            return {
                **result,
                "failed": True,
                "changed": False,
                "rolled_back": True,
                "msg": f"{told}; the old configuration is back",
            }
        return {
            **result,
            "failed": True,
            "rolled_back": False,
            "msg": f"{told}, nor put back over the old connection ({rollback['msg']}); the host puts the old configuration back "
            f"by itself at {result['rollback_at']}",
        }
