#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the fleetmfa.ssh authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

# What does the work is the action plugin of the same name; this file is its documentation.

from __future__ import annotations

DOCUMENTATION = r"""
module: role_settings
short_description: Read the variables of role mfa, or refuse them before anything is changed
version_added: 0.2.0
author:
  - The fleetmfa founders (@fleetmfa)
description:
  - The first task of role P(fleetmfa.ssh.mfa#role), at each of its entry points, and of no other use.
  - Takes every variable whose name begins with C(mfa_) as it is meant, whether it comes from YAML, an INI inventory or C(-e). The measure
    is the role's argument spec. C(-e mfa_guard=false) is false, C(mfa_exempt_groups=automation) is a list of one name.
  - Fails if one cannot be meant, or is none of the role's, naming each. No value is shown, since a secret may be in the wrong place.
options:
  rolls_out:
    description:
      - Whether PAM and sshd are to be changed after this. Then a connection that is no login is refused, unless the variable
        C(mfa_confirm_without_login) is true.
    type: bool
    default: false
attributes:
  action:
    description: Indicates this has a corresponding action plugin so some parts of the options can be executed on the controller.
    support: full
  check_mode:
    description: Can run in check_mode and return changed status prediction without modifying target.
    support: full
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
    support: none
    details: Changes nothing.
  platform:
    description: Target OS/families that can be operated against.
    support: full
    platforms: posix
notes:
  - Runs on the controller only; no host is connected to.
"""

EXAMPLES = r"""
- name: Read the role's variables, before anything else
  fleetmfa.ssh.role_settings:
  register: mfa__given
"""

RETURN = r"""
settings:
  description:
    - The role's variables, without C(mfa_) before their names and with the types they are meant to have. Not C(mfa_keys), which is secret.
  returned: success
  type: dict
  sample: {exempt_users: [deploy], guard: true, window: 3}
"""
