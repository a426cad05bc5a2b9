# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Makes the reports of an audit; see the documentation in plugins/modules/audit_report.py."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.release import __version__ as ansible_version

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.settings import check_choice, check_ranges
from ansible_collections.fleetmfa.ssh.plugins.module_utils._misplaced import masked
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._action_arguments import read_arguments
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.changes import changes
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.document import (
    Document,
    Run,
    audit_document,
    read_document,
    sealed,
)
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.evidence import AuditedHost, host_audit
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.fleet import RunTimes
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.found import JudgedFinding
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.gate import FAIL_ON, last_lines, refused, summary
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.logins import read_logins
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.reports import FORMATS, write_reports
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.role_run import role_drift
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.signature import check_key
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.waivers import read_waivers
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._controller import collection_version, controller_name
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._refused_secrets import refuse_secrets

ARGUMENTS = {
    "registered": {"type": "str", "required": True},
    "role_run": {"type": "str", "default": ""},
    "started": {"type": "float"},
    "log_days": {"type": "int"},
    "dest": {"type": "str", "required": True},
    "formats": {"type": "list", "elements": "str", "default": list(FORMATS)},
    "fail_on": {"type": "str", "default": "high"},
    "waivers": {"type": "str", "default": ""},
    "sign_key": {"type": "str", "default": "", "no_log": False},
    "compare": {"type": "str", "default": ""},
    "logins": {"type": "list", "elements": "dict", "default": []},
}
_PATHS = ("dest", "waivers", "sign_key", "compare")


class ActionModule(ActionBase):
    """Runs only on the controller, once for all hosts."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        try:
            given = self._arguments()
            variables = task_vars or {}
            hosts = _hosts(given["registered"], variables)
            document = _document(given, hosts, _drift(given["role_run"], hosts, variables))
            files = write_reports(document, Path(given["dest"]), given["formats"], given["sign_key"])
        except FleetMfaError as error:
            raise AnsibleActionFail(masked(str(error), self._task.args)) from None
        self._display.display(f"\nAudit: {summary(document)}\nWritten: {', '.join(files)}")
        found = refused(document, given["fail_on"])
        if found:
            lines = [*last_lines(found, given["fail_on"]), f"The reports are in {given['dest']}"]
            result.update(failed=True, msg="\n".join(lines))
        result.update(files=files, sha256=document["sha256"], figures=document["figures"], refused=len(found))
        return {**result, "changed": False}

    def _arguments(self) -> dict[str, Any]:
        # The rows of `logins` hold texts of hosts: what looks like a secret in them is masked, so that no host can stop an audit.
        refuse_secrets({name: value for name, value in self._task.args.items() if name != "logins"})
        given = read_arguments(self, ARGUMENTS)
        check_choice("fail_on (mfa_audit_fail_on)", given["fail_on"], FAIL_ON)
        check_ranges(given)
        for name in given["formats"]:
            check_choice("formats (mfa_audit_formats)", name, list(FORMATS))
        for name in _PATHS:
            given[name] = os.path.abspath(os.path.expanduser(given[name])) if given[name] else ""
        if not given["dest"]:
            raise FleetMfaError("dest (mfa_audit_dest): is empty; name a folder on the controller")
        if given["sign_key"]:
            check_key(given["sign_key"])
        return given


def _hosts(registered: str, variables: dict[str, Any]) -> list[AuditedHost]:
    of_hosts = variables["hostvars"]
    return [host_audit(host, of_hosts[host].get(registered)) for host in variables["ansible_play_hosts_all"]]


def _drift(registered: str, hosts: list[AuditedHost], variables: dict[str, Any]) -> list[JudgedFinding]:
    """Of the hosts that were audited; the others are a finding already."""
    asked = [one.host for one in hosts if registered and one.evidence is not None]
    return [finding for host in asked for finding in role_drift(host, variables["hostvars"][host].get(registered))]


def _document(given: dict[str, Any], hosts: list[AuditedHost], drift: list[JudgedFinding]) -> Document:
    waivers = read_waivers(given["waivers"]) if given["waivers"] else []
    before = read_document(given["compare"]) if given["compare"] else None
    end = time.time()
    start = end if given["started"] is None else given["started"]
    names = ("log_days", "role_run", "fail_on", "formats", "waivers", "sign_key", "compare")
    run = Run(
        version=collection_version(),
        ansible=ansible_version,
        by=controller_name(),
        times=RunTimes(start, end),
        parameters={name: given[name] for name in names},
    )
    document = audit_document(run, hosts, waivers, read_logins(given["logins"]), drift)
    if before is not None:
        document["changes"] = changes(before, document)
    return sealed(document)
