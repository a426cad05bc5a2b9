#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

# The action plugin of the same name does the work; this file is its documentation.

from __future__ import annotations

DOCUMENTATION = r"""
module: totp_key_merge
short_description: Merge what the hosts of a play know of the users' keys into the key store
version_added: 0.2.0
author:
  - The fleetmfa founders (@fleetmfa)
description:
  - Opens the key store once, merges what M(fleetmfa.ssh.totp_key_collect) returned of all hosts of the play (of the batch, with
    C(serial)), and returns for each host what M(fleetmfa.ssh.totp_key_distribute) gives it.
  - The key store is the one that the variables C(mfa_store), C(mfa_store_path) and so on name for each host. If hosts have different
    ones, each is opened once.
  - A key store that is lost, locked by another run for two minutes, or cannot be decrypted fails the task, and so stops the play before
    a host was changed.
  - What is wrong with one host (its keys came from another key store, its answer cannot be understood) is in RV(refused), and fails
    the distributing task of that host only.
  - Neither the order of hosts matters, nor the number of runs or of controllers.
options:
  registered:
    description: The name of the variable that M(fleetmfa.ssh.totp_key_collect) was registered in, on each host.
    type: str
    required: true
  key_max_age:
    description:
      - Days after which a person's validated key is to be replaced, 0 to 3650; V(0) means never.
      - The key store records this, and M(fleetmfa.ssh.totp_key_distribute) gives the user a new pending key. The old key counts until
        the new one is validated.
    type: int
    default: 0
extends_documentation_fragment:
  - fleetmfa.ssh.on_controller
  - ansible.builtin.action_common_attributes
  - ansible.builtin.action_common_attributes.flow
  - fleetmfa.ssh.attributes
attributes:
  bypass_host_loop:
    support: full
    details: Use C(run_once) as well, so that every host has the registered result. Strategy C(free) refuses the task.
  check_mode:
    support: full
    details: Nothing is written. RV(handouts) are what hosts would be given, so that the distributing task predicts, too.
  diff_mode:
    support: full
    details: Shows one line for each person, such as C(alice - key 3f0c added); never a secret.
  idempotent:
    support: full
    details: A login between the runs is a change, since its token is now used.
notes:
  - Runs on the controller only; no host is connected to.
seealso:
  - module: fleetmfa.ssh.totp_key_collect
  - module: fleetmfa.ssh.totp_key_distribute
"""

EXAMPLES = r"""
- name: Collect the keys of every human account
  fleetmfa.ssh.totp_key_collect:
    human_accounts: true
    exempt_users: [ansible, breakglass]
  register: collected

- name: Merge those of all hosts into the key store
  fleetmfa.ssh.totp_key_merge:
    registered: collected
  run_once: true
  register: merged

- name: Give each host the keys of the same users
  fleetmfa.ssh.totp_key_distribute:
    handout: "{{ merged.handouts[inventory_hostname] }}"
    exempt_users: [ansible, breakglass]
"""

RETURN = r"""
people:
  description: The people whose record in the key store changed.
  returned: success
  type: list
  elements: str
handouts:
  description:
    - For each host the option O(fleetmfa.ssh.totp_key_distribute#module:handout). It is encrypted with a key that exists only in the
      memory of this run.
  returned: success
  type: dict
refused:
  description: The hosts whose answer was not merged, with the reason.
  returned: success
  type: dict
  sample: {}
findings:
  description: Each is a finding, as M(fleetmfa.ssh.sshd_policy_info) returns it.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: Kind of the problem. It never changes its meaning.
      type: str
      sample: host_clock_off
    severity:
      description: V(critical), V(high), V(medium) or V(low).
      type: str
      sample: medium
    evidence:
      description: What was found.
      type: list
      elements: str
    remedy:
      description: What to do.
      type: str
"""
