#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

# The action plugin of the same name does the work; this file is its documentation.

from __future__ import annotations

DOCUMENTATION = r"""
module: key_store_change
short_description: Revoke, replace or supplement a person's key in the key store
version_added: 0.2.0
author:
  - The fleetmfa founders (@fleetmfa)
description:
  - Changes the records of people in the key store on the controller, and writes who did what, when and why into their history. Hosts
    get to know it from M(fleetmfa.ssh.totp_key_distribute). Playbooks C(revoke), C(recover) and C(unlock) do both, see
    C(docs/lost_devices.md).
  - A secret is never returned, printed or logged. It is shown on the terminal from which Ansible was started, until Enter is pressed, or
    written to O(dest).
  - The key store is named by the variables C(mfa_store), C(mfa_store_path) and so on, see C(docs/key_store.md).
requirements:
  - segno (Python library, on the controller), to show a key
options:
  users:
    description: The people, by their names in the key store. Only one with O(change=new_key), V(show) and V(help_desk_code).
    type: list
    elements: str
    required: true
  change:
    description:
      - V(revoke) - all keys of all devices are dead, and the person is denied on every host until an operator gives a new key.
      - V(new_key) - all keys of all devices are dead, and a new one takes their place as soon as it is validated; it is handed out.
        If a key that was given in this way is not validated yet, that one is handed out again, see O(again).
      - V(help_desk_code) - one more recovery code, which ends; it is handed out. If an earlier one is still good, that one is handed out.
      - V(show) - the key stays as it is, and is handed out once more.
      - V(unlock) - only the history; M(fleetmfa.ssh.totp_unlock) does it on the hosts.
    type: str
    required: true
    choices: [revoke, new_key, help_desk_code, show, unlock]
  reason:
    description: Why, for the history; one line of at most 500 characters. Not empty.
    type: str
    required: true
  device:
    description:
      - For V(revoke) and V(new_key), the device of one person that it is about; the others go on. V(first), or the name of a second device.
      - With O(change=revoke), the keys of this device are dead. If it is the first one, the second device takes its place. Refused if
        no other device has a validated key.
      - With O(change=new_key), earlier keys of this second device are dead, and a new one is pending. Also for a person who has no
        second device yet. Refused for the first device, and if there is another second one.
    type: str
  access:
    description:
      - For O(change=new_key), logins until the new key is validated - V(denied), or V(not_asked) for a token, until
        O(enrollment_days) are over.
      - With V(not_asked), somebody with the person's SSH key gets in during that time.
    type: str
    choices: [denied, not_asked]
    default: denied
  enrollment_days:
    description: For O(access=not_asked), days until midnight of the last one, 1 to 365.
    type: int
    default: 7
  again:
    description: For O(change=new_key), whether to make another key although the last one that was given is not validated yet.
    type: bool
    default: false
  help_desk_code_hours:
    description: For O(change=help_desk_code), hours after which the code ends, 1 to 72.
    type: int
    default: 4
  may_show:
    description: Whether the policy of the fleet allows O(change=show).
    type: bool
    default: false
  issuer:
    description: The issuer of a new key of a person who had none before.
    type: str
    default: SSH
  period:
    description: Length of a time step of a new key in seconds, 1 to 60.
    type: int
    default: 30
  recovery_code_count:
    description: Number of recovery codes of a new key, 0 to 100.
    type: int
    default: 5
  dest:
    description:
      - File on the controller to write the secret to, instead of the terminal; an absolute path in a folder that exists. Mode 0600.
      - A key is written as an enrollment sheet (HTML), a help-desk code as text. Delete it when it has been used.
    type: path
  contact:
    description: Whom the person should tell if the phone is lost, as M(fleetmfa.ssh.enrollment_sheets) writes it.
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
    details: Hands nothing out.
  diff_mode:
    support: full
    details: Shows one line for each person, such as C(alice - all keys revoked); never a secret.
  idempotent:
    support: partial
    details: V(show) and V(unlock) write an event each time. The others change nothing if the decision is in force already.
notes:
  - Runs on the controller only; no host is connected to. Use C(run_once) in a play with several hosts.
seealso:
  - module: fleetmfa.ssh.totp_key_distribute
  - module: fleetmfa.ssh.totp_unlock
"""

EXAMPLES = r"""
- name: Deny somebody who has left
  fleetmfa.ssh.key_store_change:
    users: [alice]
    change: revoke
    reason: left on 31 March, ticket 4711
  run_once: true

- name: Revoke a lost tablet; the phone goes on
  fleetmfa.ssh.key_store_change:
    users: [alice]
    change: revoke
    device: tablet
    reason: left in a train, ticket 4712
  run_once: true

- name: Tell the hosts
  fleetmfa.ssh.totp_key_distribute:
    people: [alice]
"""

RETURN = r"""
users:
  description: The people that O(users) names.
  returned: success
  type: list
  elements: str
  sample: [alice]
people:
  description: The people whose record changed.
  returned: success
  type: list
  elements: str
  sample: [alice]
handed_out:
  description: Where the secret was handed out, V(terminal) or the path of a file; empty if there was none.
  returned: success
  type: str
  sample: terminal
"""
