#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

# The action plugin of the same name does the work; this file is its documentation.

from __future__ import annotations

DOCUMENTATION = r"""
module: fleet_status
short_description: Print the state of all users on all hosts as a table
version_added: 0.2.0
author:
  - The fleetmfa founders (@fleetmfa)
description:
  - Prints what M(fleetmfa.ssh.totp_key_info) has returned on the hosts of the play, one line for each user and state, with the
    hosts on which the state is the same.
  - Hosts without a result, since they were unreachable or the task failed, are named, and the task fails after the table.
  - Used by playbook C(fleetmfa.ssh.status); see C(docs/status.md).
options:
  registered:
    description: The name of the variable in which M(fleetmfa.ssh.totp_key_info) was registered on each host.
    type: str
    required: true
  show:
    description:
      - V(all) or V(attention). With V(attention) the table has only the users who are denied (but not revoked), locked or suspended after
        wrong tokens, overdue, or not asked although they have a validated key, those whose deadline is less than four days away, and
        those with problems.
    type: str
    default: all
  json:
    description:
      - A file on the controller that gets all that the hosts have returned as JSON, readable by its owner only, or V(-) to print that
        in place of the table. O(show) does not apply to it. Also written in check mode.
    type: str
extends_documentation_fragment:
  - fleetmfa.ssh.on_controller
  - ansible.builtin.action_common_attributes
  - ansible.builtin.action_common_attributes.flow
  - fleetmfa.ssh.attributes
attributes:
  check_mode:
    support: full
    details: Does the same in either mode; no host is changed.
  diff_mode:
    support: none
    details: Changes nothing, so there is no difference to show.
  idempotent:
    support: full
notes:
  - Runs on the controller only; no host is connected to.
seealso:
  - module: fleetmfa.ssh.totp_key_info
"""

EXAMPLES = r"""
- name: Read the keys
  fleetmfa.ssh.totp_key_info:
  register: found
  ignore_errors: true
  ignore_unreachable: true

- name: Print the table
  fleetmfa.ssh.fleet_status:
    registered: found
    show: attention
  run_once: true
"""

RETURN = r"""
not_reached:
  description: The hosts that are not in the table.
  returned: always
  type: list
  elements: str
  sample: [db7]
"""
