# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Adds keys that an operator gives to the key store; see the documentation in plugins/modules/otpauth_import.py."""

from __future__ import annotations

import time
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._misplaced import masked
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._action_arguments import read_arguments
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._controller import controller_name
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._given_keys import (
    STATES,
    GivenToImport,
    read_entries,
    read_lines,
)
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.import_into import import_into
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.import_report import refused_row
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.imported import ImportCandidate, candidate
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.of_action import refuse_misplaced, store_of

ARGUMENTS = {
    "keys": {"type": "list", "elements": "dict", "default": [], "no_log": False},
    "src": {"type": "str"},
    "unused": {"type": "str", "choices": list(STATES), "default": "pending"},
}


class ActionModule(ActionBase):
    """Runs only on the controller, regardless of the host: the keys are there, and no host needs to see them."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        try:
            arguments = self._arguments()
            store = store_of(self, task_vars or {})
            found, refused = read_entries(arguments["keys"])
            if arguments["src"]:
                of_file = read_lines(arguments["src"], self._text(arguments["src"]))
                found, refused = [*found, *of_file[0]], [*refused, *of_file[1]]
            rows = [refused_row(one.user, one.user, controller_name(), one.source, one.why) for one in refused]
            candidates = [_candidate(one, arguments["unused"]) for one in found]
            told = import_into(store, candidates, {}, rows, bool(self._task.check_mode))
        except FleetMfaError as error:
            told_error = masked(str(error), self._task.args)
            raise AnsibleActionFail(told_error, result={"changed": error.changed}) from None
        return {**result, **told}

    def _arguments(self) -> dict[str, Any]:
        given = read_arguments(self, ARGUMENTS)
        refuse_misplaced(self._task.args)
        return given

    def _text(self, path: str) -> str:
        """A file that ansible-vault has encrypted is decrypted in memory."""
        try:
            text: str = self._loader.get_text_file_contents(self._loader.path_dwim(path))
        except (AnsibleError, OSError, UnicodeError) as error:
            raise FleetMfaError(
                f"src: {path} cannot be read, or not be decrypted with the vault secrets of this run "
                f"({type(error).__name__})"
            ) from None
        return text


def _candidate(one: GivenToImport, unused: str) -> ImportCandidate:
    return candidate(one.key["user"], one.key, controller_name(), one.state or unused, 1, int(time.time()))
