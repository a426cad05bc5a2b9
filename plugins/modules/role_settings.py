#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

# The action plugin of the same name does the work; this file is its documentation.

from __future__ import annotations

DOCUMENTATION = r"""
module: role_settings
short_description: Check and convert the variables of roles mfa and mfa_audit before anything is done
version_added: 0.2.0
author:
  - The fleetmfa founders (@fleetmfa)
description:
  - The first task of every entry point of roles P(fleetmfa.ssh.mfa#role) and P(fleetmfa.ssh.mfa_audit#role). Not meant for anything else.
  - Converts every variable whose name begins with C(mfa_) to its type in the argument spec of its role, whether it comes from YAML, an INI
    inventory or C(-e). For example, C(-e mfa_guard=false) becomes false, and C(mfa_exempt_groups=automation) a list with one name.
  - Fails if a value cannot be converted or the role has no such variable, and names each. Values are never shown, since a secret may
    have been put into the wrong variable.
options:
  rolls_out:
    description:
      - Whether the role will change PAM and sshd. If so, a connection that is not a login is refused unless the variable
        C(mfa_confirm_without_login) is true.
    type: bool
    default: false
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
  - ansible.builtin.action_common_attributes.flow
  - fleetmfa.ssh.attributes
attributes:
  action:
    support: full
  async:
    support: none
  bypass_host_loop:
    support: none
  check_mode:
    support: full
  diff_mode:
    support: none
    details: Changes nothing.
  idempotent:
    support: full
  platform:
    support: full
    platforms: posix
notes:
  - Runs on the controller only; no host is connected to.
"""

EXAMPLES = r"""
- name: Read the role's variables before anything else
  fleetmfa.ssh.role_settings:
  register: mfa__given
"""

RETURN = r"""
settings:
  description:
    - The role's variables, converted to their types, with the prefix C(mfa_) removed from the names.
    - C(mfa_keys) is not included, since it is secret.
  returned: success
  type: dict
  sample: {exempt_users: [deploy], guard: true, window: 3}
time:
  description: When the variables were read, in seconds since the epoch by the controller's clock.
  returned: success
  type: float
  sample: 1795790000.5
"""
