# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Logs in to hosts as users would; see the documentation in plugins/modules/ssh_login_probe.py."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

from ansible.errors import AnsibleActionFail
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.settings import RANGES, check_range
from ansible_collections.fleetmfa.ssh.plugins.module_utils._misplaced import masked
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._junit import write_junit
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._login_probe.connection_options import (
    VARIABLES,
    connection_option,
)
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._login_probe.entries import Entry, read_entries
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._login_probe.host_variables import HostVariables
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._login_probe.junit import junit_xml
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._login_probe.known_hosts import KnownHosts
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._login_probe.library import require_paramiko
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._login_probe.planning import Planner
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._login_probe.probe import Prober
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._login_probe.row import ProbeRow
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._login_probe.run import run_probes
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._login_probe.stored_keys import StoredKeys
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._login_probe.summary import (
    EXPLAINED,
    counts_of,
    differing,
    summary,
)
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._parameters import whole_number
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._ssh_totp.used_steps import StepsFolder
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.of_action import refuse_misplaced, store_of

OPTIONS = ("probes", "fail", "key_store", "known_hosts", "login_timeout", "parallel", "junit")


class ActionModule(ActionBase):
    """Runs only on the controller, once for all hosts."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        try:
            refuse_misplaced(self._task.args)
            options = _options(self._task.args)
            require_paramiko()
            rows = self._rows(options, task_vars or {})
            if options.junit:
                write_junit(options.junit, junit_xml(rows))
        except FleetMfaError as error:
            raise AnsibleActionFail(masked(str(error), self._task.args)) from None
        differ = differing(rows)
        failed = bool(differ) and options.fail
        # Ansible prints all that a failed task returns.
        returned = differ[:EXPLAINED] if failed else rows
        told = {"rows": [row.as_dict() for row in returned], "counts": counts_of(rows), "as_expected": not differ}
        return {**result, **told, "changed": False, "failed": failed, "msg": summary(rows)}

    def _rows(self, options: _Options, task_vars: dict[str, Any]) -> list[ProbeRow]:
        def variables_of(host: str) -> HostVariables:
            return HostVariables(self, host, task_vars)

        stored = StoredKeys(lambda settings: store_of(self, settings)) if options.key_store else None
        known = KnownHosts(options.known_hosts)
        own = variables_of(str(task_vars.get("inventory_hostname", ""))).given(VARIABLES)
        folder = StepsFolder(Path(connection_option("totp_state_dir", own)))
        probes = Planner(variables_of, task_vars.get("ansible_play_hosts_all", []), stored).probes(options.entries)
        prober = Prober(known, folder, options.login_timeout)
        return run_probes(probes, prober.row, options.parallel, self._say)

    def _say(self, text: str) -> None:
        self._display.display(f"ssh_login_probe: {text}")


class _Options(NamedTuple):
    entries: list[Entry]
    fail: bool
    key_store: bool
    known_hosts: list[str] | None
    login_timeout: int
    parallel: int
    junit: str | None


def _options(given: dict[str, Any]) -> _Options:
    if set(given) - set(OPTIONS) or "probes" not in given:  # core would name what it does not know
        raise FleetMfaError(f"the options are {', '.join(OPTIONS)}; probes is required")
    entries = read_entries(given["probes"])
    files = given.get("known_hosts")
    if files is not None and not (isinstance(files, list) and files and all(isinstance(path, str) for path in files)):
        raise FleetMfaError("known_hosts: must be a list of files, and not an empty one")
    junit = given.get("junit")
    if junit is not None and not (isinstance(junit, str) and os.path.isabs(os.path.expanduser(junit))):
        raise FleetMfaError("junit: must be the absolute path of a file")
    return _Options(
        entries=entries,
        fail=_boolean(given, "fail"),
        key_store=_boolean(given, "key_store"),
        known_hosts=files,
        login_timeout=_number(given, "login_timeout"),
        parallel=_number(given, "parallel"),
        junit=junit,
    )


def _boolean(given: dict[str, Any], option: str) -> bool:
    try:
        return bool(boolean(given.get(option, True)))
    except TypeError:  # it quotes the value
        raise FleetMfaError(f"{option}: must be true or false") from None


def _number(given: dict[str, Any], option: str) -> int:
    number = whole_number(given.get(option, RANGES[option].default), option)
    check_range(option, number)
    return number
