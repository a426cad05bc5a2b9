#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

# The action plugin of the same name does the work; this file is its documentation.

from __future__ import annotations

DOCUMENTATION = r"""
module: enrollment_sheets
short_description: Write a printable enrollment sheet for each user
version_added: 0.1.0
author:
  - The fleetmfa founders (@fleetmfa)
description:
  - Writes one HTML page per user on the controller, with the QR code, the key as text, instructions, and what to do if
    the phone is lost. A page is self-contained and prints on one sheet of A4.
  - A sheet contains the secret key. It has mode 0600; hand it over in person or in a sealed letter, then delete it.
requirements:
  - segno (Python library, on the controller)
options:
  keys:
    description:
      - The keys, as in O(fleetmfa.ssh.totp_key#module:keys), each with V(user) and V(secret), and optionally V(issuer),
        V(account) and V(recovery_codes). Other entries are ignored.
      - They are secrets; keep them in a vault, and set C(no_log) on the task.
    type: list
    elements: dict
    required: true
  dest:
    description:
      - The folder on the controller that the sheets are written to, as C(USER.html). It is created with mode 0700 if it is
        missing.
    type: path
    required: true
  issuer:
    description: The issuer shown in the authenticator app, for keys that do not set their own.
    type: str
    default: SSH
  period:
    description: Length of a time step in seconds, 1 to 60. Must be the same as on the hosts, or every token will be wrong.
    type: int
    default: 30
  contact:
    description: Whom the user should tell if the phone is lost, as used in the sentence "Tell ... at once".
    type: str
    default: your administrator
extends_documentation_fragment:
  - fleetmfa.ssh.on_controller
  - ansible.builtin.action_common_attributes
  - ansible.builtin.action_common_attributes.flow
  - fleetmfa.ssh.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
    details: The content of a sheet is secret.
  idempotent:
    support: full
notes:
  - Runs on the controller only; no host is connected to. Use C(run_once) in a play with several hosts.
seealso:
  - module: fleetmfa.ssh.totp_key
"""

EXAMPLES = r"""
- name: Write a sheet for every user in mfa_keys
  fleetmfa.ssh.enrollment_sheets:
    keys: "{{ mfa_keys }}"
    issuer: "{{ mfa_issuer }}"
    dest: "{{ playbook_dir }}/sheets"
    contact: the help desk (phone 1234)
  run_once: true
  no_log: true
"""

RETURN = r"""
sheets:
  description: Paths of the sheets.
  returned: success
  type: list
  elements: str
  sample: [/srv/fleet/sheets/alice.html]
"""
