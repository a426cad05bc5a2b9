#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

# The action plugin of the same name does the work; this file is its documentation.

from __future__ import annotations

DOCUMENTATION = r"""
module: sshd_files_info
short_description: Read what role mfa has to know of sshd_config and PAM services in a folder
version_added: 0.2.0
author:
  - The fleetmfa founders (@fleetmfa)
description:
  - Returns of the files of a folder what M(fleetmfa.ssh.sshd_policy_info) returns of a host, as far as role C(fleetmfa.ssh.mfa) renders its
    own files of it. The files of the role, if they are in the folder, are left out, as on a host.
  - Used by playbook C(fleetmfa.ssh.judge_files) with C(mfa_judge_with_role), before M(fleetmfa.ssh.judge_files); see
    C(docs/judge_files.md).
  - The task fails if something is missing without which nothing can be said. Nothing outside the folder is read in its place.
options:
  folder:
    description: A folder on the controller that is laid out like C(/etc), as for M(fleetmfa.ssh.judge_files).
    type: str
    required: true
  group:
    description: The enforced group.
    type: str
    default: mfa-enforced
  exempt_users:
    description: Users who are never asked for a token, as for M(fleetmfa.ssh.judge_files).
    type: list
    elements: raw
    default: []
  exempt_groups:
    description: Groups whose members are never asked for a token, as O(exempt_users).
    type: list
    elements: raw
    default: []
  binary:
    description: Path of the sshd binary on the controller. By default the usual install locations are searched.
    type: str
extends_documentation_fragment:
  - fleetmfa.ssh.on_controller
  - ansible.builtin.action_common_attributes
  - ansible.builtin.action_common_attributes.flow
  - fleetmfa.ssh.attributes
attributes:
  check_mode:
    support: full
    details: Does the same in either mode.
  diff_mode:
    support: none
    details: Changes nothing, so there is no difference to show.
  idempotent:
    support: full
notes:
  - Runs on the controller only; no host is connected to.
seealso:
  - module: fleetmfa.ssh.judge_files
  - module: fleetmfa.ssh.sshd_policy_info
"""

EXAMPLES = r"""
- name: Read the files of web servers
  fleetmfa.ssh.sshd_files_info:
    folder: "{{ playbook_dir }}/files/web/etc"
  run_once: true
  register: web
"""

RETURN = r"""
openssh_version:
  description: Version of the OpenSSH that the files were read with, major and minor.
  returned: success
  type: list
  elements: int
  sample: [9, 2]
capabilities:
  description: As in M(fleetmfa.ssh.sshd_policy_info).
  returned: success
  type: dict
  sample: {pam_service_name: false, separate_challenge_response: false}
baseline:
  description: Global settings without the drop-in of the role, as in M(fleetmfa.ssh.sshd_policy_info).
  returned: success
  type: dict
  sample: {kbdinteractiveauthentication: "no", permitrootlogin: prohibit-password}
pam_services:
  description: The PAM services that sshd sends users to without the role.
  returned: success
  type: list
  elements: str
  sample: [sshd]
pam_rules_by_name:
  description: Lines of these services whose rules may depend on the name of the service, as in M(fleetmfa.ssh.sshd_policy_info).
  returned: success
  type: list
  elements: str
  sample: []
own_pam_services:
  description: The PAM services that have token lines of the role.
  returned: success
  type: list
  elements: str
  sample: []
token_module:
  description: Always none, since a folder does not say which PAM modules hosts have.
  returned: success
  type: str
"""
