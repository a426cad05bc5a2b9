# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Prints the status of the fleet; see the documentation in plugins/modules/fleet_status.py."""

from __future__ import annotations

import datetime
import json
import os
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.settings import check_choice
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.files import write_file
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._refused_secrets import refuse_secrets
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._status.hosts import HostStatus, host_status, unknown_users
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._status.text import status_text

OPTIONS = ("registered", "show", "json")
SHOW = ("all", "attention")
TERMINAL = "-"


class ActionModule(ActionBase):
    """Runs only on the controller, once for all hosts."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        now = datetime.datetime.now(datetime.timezone.utc)
        try:
            options = _options(self._task.args)
            results = {
                host: variables["hostvars"][host].get(options["registered"])
                for host in variables["ansible_play_hosts_all"]
            }
            hosts = [host_status(host, found) for host, found in results.items()]
            if options["json"]:
                self._put(options["json"], hosts, now)
            if options["json"] != TERMINAL:
                unknown = unknown_users(results.values())
                self._display.display("\n" + status_text(hosts, unknown, now, options["show"] == "attention"))
        except FleetMfaError as error:
            raise AnsibleActionFail(str(error)) from None
        away = [one.host for one in hosts if one.why is not None]
        if away:
            result.update(failed=True, msg=f"{len(away)} of {len(hosts)} hosts were not reached: {', '.join(away)}")
        return {**result, "changed": False, "not_reached": away}

    def _put(self, path: str, hosts: list[HostStatus], now: datetime.datetime) -> None:
        content = {"time": f"{now:%Y-%m-%dT%H:%M:%SZ}", "hosts": [one.as_dict() for one in hosts]}
        text = json.dumps(content, indent=1, sort_keys=True) + "\n"
        if path == TERMINAL:
            self._display.display(text)
        else:
            write_file(os.path.abspath(os.path.expanduser(path)), text.encode(), 0o600, os.geteuid(), os.getegid())


def _options(given: dict[str, Any]) -> dict[str, str]:
    refuse_secrets(given)
    if set(given) - set(OPTIONS) or "registered" not in given:  # core would name what it does not know
        raise FleetMfaError("the options are registered (required), show and json")
    options = {"show": "all", "json": "", **{name: str(value) for name, value in given.items()}}
    check_choice("show (mfa_status_show)", options["show"], SHOW)
    return options
