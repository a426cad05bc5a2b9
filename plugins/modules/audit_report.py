#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

# The action plugin of the same name does the work; this file is its documentation.

from __future__ import annotations

DOCUMENTATION = r"""
module: audit_report
short_description: Make the evidence document and the reports of an audit
version_added: 0.2.0
author:
  - The fleetmfa founders (@fleetmfa)
description:
  - Makes one evidence document of what C(fleetmfa.ssh.host_audit_info) has returned on the hosts of the play, and reports of the
    document. Used by role P(fleetmfa.ssh.mfa_audit#role) and playbook C(fleetmfa.ssh.audit), see C(docs/audit.md).
  - Hosts without a result, since they were unreachable or the task failed, are a finding each (C(host_not_reached)).
  - Fails, after everything is written, if there are findings at or above O(fail_on).
  - No report contains a secret. What looks like one in a result of a host is masked, and a name in the log that is not among the users
    in the evidence is not repeated, since people type passwords and tokens there.
options:
  registered:
    description: The name of the variable in which C(fleetmfa.ssh.host_audit_info) was registered on each host.
    type: str
    required: true
  role_run:
    description:
      - The name of the variable in which M(fleetmfa.ssh.totp_host) in check mode was registered on each host (entry point C(drift) of role
        P(fleetmfa.ssh.mfa#role)). What it would change is the finding C(state_drift). Not asked for if empty.
    type: str
    default: ""
  started:
    description:
      - When the run began, in seconds since the epoch by the controller's clock. A host whose clock was more than 60 seconds before that is
        a finding. By default, and with any value, a clock that is ahead of the controller's by more than that is one.
    type: float
  log_days:
    description: How many days of the logs were asked for, 1 to 90; only written into the document.
    type: int
  dest:
    description:
      - Folder on the controller for the files, made with mode 0700 if it does not exist. Files are replaced, with mode 0600.
      - RV(files) has their names.
    type: str
    required: true
  formats:
    description:
      - Which reports are written beside the document, any of V(html), V(csv), V(junit) and V(sarif).
    type: list
    elements: str
    default: [html, csv, junit, sarif]
  fail_on:
    description:
      - Fail on findings of this severity and above, V(none), V(low), V(medium), V(high) or V(critical). Accepted findings do not count.
    type: str
    default: high
  waivers:
    description: A YAML file on the controller with accepted risks, see C(docs/audit.md). None if empty.
    type: str
    default: ""
  sign_key:
    description:
      - A private SSH key without a passphrase on the controller, or the public key of one that C(ssh-agent) has, to sign the document with
        (C(ssh-keygen -Y sign), namespace C(fleetmfa-audit)). Not signed if empty.
    type: str
    default: ""
  compare:
    description: An earlier evidence document; what has changed since is written into the new one and the reports. None if empty.
    type: str
    default: ""
  logins:
    description:
      - Real logins, as M(fleetmfa.ssh.ssh_login_probe) with O(fleetmfa.ssh.ssh_login_probe#module:fail=false) has returned them in
        RV(fleetmfa.ssh.ssh_login_probe#module:rows). One that is not as expected is a finding.
    type: list
    elements: dict
    default: []
extends_documentation_fragment:
  - fleetmfa.ssh.on_controller
  - ansible.builtin.action_common_attributes
  - ansible.builtin.action_common_attributes.flow
  - fleetmfa.ssh.attributes
attributes:
  check_mode:
    support: full
    details: Does the same in either mode; the files are written on the controller, and no host is changed.
  diff_mode:
    support: none
    details: Each document has its own time, so there is no difference to show.
  idempotent:
    support: none
    details: Writes new files each time, but never reports a change, since no host is changed.
notes:
  - Runs on the controller only; no host is connected to.
seealso:
  - module: fleetmfa.ssh.ssh_login_probe
  - module: fleetmfa.ssh.sshd_policy_info
"""

EXAMPLES = r"""
- name: Write the reports, and fail on a critical finding
  fleetmfa.ssh.audit_report:
    registered: found
    dest: mfa-audit
    fail_on: critical
    waivers: waivers.yml
  run_once: true
"""

RETURN = r"""
files:
  description: The files that were written, the document first.
  returned: success, and when findings fail the run
  type: list
  elements: str
  sample: [/srv/mfa-audit/audit.json, /srv/mfa-audit/report.html]
sha256:
  description: The SHA-256 of the document.
  returned: success, and when findings fail the run
  type: str
  sample: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
figures:
  description: The figures of the report, as in the document.
  returned: success, and when findings fail the run
  type: dict
  sample: {hosts: {all: 3, managed: 3, nobody_enforced: 0, not_read: 0, reached: 3}, overdue: 0, people: 12}
refused:
  description: How many findings are at or above O(fail_on).
  returned: success, and when findings fail the run
  type: int
  sample: 0
"""
