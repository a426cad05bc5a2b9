# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""An action that tells its module how the controller reaches the host, and as which account. Private."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._controller import controller_name
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._fresh_connection import answers_token_prompt, logs_in
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._secret_arguments import SecretArguments

# Marks sshd's variable among what the start-up files of a shell may print.
_FROM = "fleetmfa-from:"


class ConnectedAction(ActionBase):
    """`MODULE` runs with the arguments of the task and with `_connection`, which is no option and no task may set."""

    MODULE = ""
    _connection: Any  # of ActionBase, which has no types
    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        if "_connection" in self._task.args:
            raise AnsibleActionFail(
                "_connection is no option: it is found out from the connection; take it out of the task"
            )
        result = super().run(tmp, task_vars)
        self._task_vars = task_vars
        return {**result, **self.act()}

    def act(self) -> dict[str, Any]:
        return self.module(self.MODULE, {**self.arguments(), "_connection": self.connection_facts()})

    def arguments(self) -> dict[str, Any]:
        """What the module gets. Not what a task shows: callbacks are told the arguments of the task."""
        return dict(self._task.args)

    def module(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        hidden = SecretArguments(arguments)
        result: dict[str, Any] = self._execute_module(module_name=name, module_args=hidden, task_vars=self._task_vars)
        return result

    @property
    def logs_in(self) -> bool:
        return logs_in(self._connection)

    def connection_facts(self) -> dict[str, Any]:
        """See ManagingConnection in module_utils/_policy/managing_connection.py."""
        uid, address = self._login() if self.logs_in else (None, "")
        return {
            "uid": uid,
            "address": address,
            "answers_token": answers_token_prompt(self._connection),
            "logs_in": self.logs_in,
            "controller": controller_name(),
        }

    def _login(self) -> tuple[int, str]:
        """The account that sshd lets in, and the address that it sees, as reported by the host itself: without become,
        over the connection of the task.

        Not an option or a variable: ssh also takes the user from its own configuration or arguments. Not the process
        tree or the login uid of the module's process: neither is available with every `become` or in every container.
        """
        answer = self._low_level_execute_command(f'echo "{_FROM}$SSH_CONNECTION"; id -u', sudoable=False)
        words = answer["stdout"].split()
        if answer["rc"] != 0 or not words or not words[-1].isdigit():
            raise AnsibleActionFail(
                "cannot determine the account that this run is connected as: the host answers "
                f"{answer['stdout'][:80]!r} to `id -u`; it must be a number; check what the login shell of that "
                "account prints"
            )
        address = next((word[len(_FROM) :] for word in words if word.startswith(_FROM)), "")
        return int(words[-1]), address
