# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.module_utils.common.yaml import yaml_load
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._misplaced import hidden
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._fresh_connection import require_login
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._role_settings import (
    INTERNAL,
    PREFIX,
    read_settings,
    shown_name,
)

ROLES = Path(__file__).resolve().parents[2] / "roles"
SPECS = [ROLES / name / "meta/argument_specs.yml" for name in ("mfa", "mfa_audit")]


class ActionModule(ActionBase):
    """Reads variables on the controller; no host is connected to."""

    _requires_connection = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        now = time.time()
        options = _options()
        variables = task_vars or {}
        if set(self._task.args) - {"rolls_out"}:  # core would name what it does not know
            raise AnsibleActionFail("the only option is rolls_out")
        names = sorted(name for name in variables if name.startswith(PREFIX) and not name.startswith(INTERNAL))
        try:
            given = {name: self._value(name, variables[name]) for name in names}
            settings = read_settings(options, given)
            if boolean(self._task.args.get("rolls_out", False), strict=False) and not settings["confirm_without_login"]:
                require_login(self._connection, "mfa_confirm_without_login")
            # A name that looks like a secret may be right, or not; callbacks do not show a result with one.
            result.update(changed=False, settings=settings, time=now, _ansible_no_log=bool(hidden(settings)))
        except FleetMfaError as error:
            raise AnsibleActionFail(f"nothing was changed: {error}") from None
        return result

    def _value(self, name: str, value: Any) -> Any:
        try:
            return self._templar.template(value)
        except AnsibleError as error:
            # The original message may quote the template, and so the text next to a secret.
            raise FleetMfaError(f"{shown_name(name)}: cannot be computed ({type(error).__name__})") from None


def _options() -> dict[str, Any]:
    """Those of both roles, whose variables stand side by side in an inventory."""
    options: dict[str, Any] = {}
    for path in SPECS:
        options.update(yaml_load(path.read_text(encoding="utf-8"))["argument_specs"]["main"]["options"])
    return options
