#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: totp_key_collect
short_description: Collect what a host knows of the users' keys, for the key store
version_added: 0.2.0
author:
  - The fleetmfa founders (@fleetmfa)
description:
  - Reads the validated keys of any number of users of a host in one call, with spent recovery codes, used tokens, and the
    drift of the device's clock. M(fleetmfa.ssh.totp_key_merge) then merges those of all hosts into the key store on the
    controller.
  - The keys of second devices are collected with those of the first, also on a host that does not accept them any more
    (C(docs/second_device.md)).
  - Keys that are pending on the host are not collected, since nobody has proven to have them.
  - Changes nothing. The key store is named by the variables C(mfa_store), C(mfa_store_path) and so on, see
    C(docs/key_store.md); a wrong one is an error before the host is asked.
  - The order of hosts does not matter, nor does the number of runs or of controllers.
options:
  users:
    description:
      - Users whose keys are collected; V(%admins) means the members of group C(admins) on the host.
      - Names without an account on the host are skipped.
    type: list
    elements: str
    default: []
  unknown_groups:
    description: What to do about a group in O(users) that the host does not have; V(error) or V(skip).
    type: str
    default: error
  human_accounts:
    description: Whether to also collect the keys of every human account on the host, as O(fleetmfa.ssh.totp_key#module:human_accounts).
    type: bool
    default: false
  check_mfa_keys:
    description:
      - Whether role P(fleetmfa.ssh.mfa#role) is about to apply the host's variable C(mfa_keys). If so, M(fleetmfa.ssh.totp_key_merge)
        refuses the host if an entry contradicts the key store, see C(docs/key_store.md).
    type: bool
    default: false
  seal:
    description: Encrypts what the host returns. The action makes a new one for each call; leave it out.
    type: str
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
  - ansible.builtin.action_common_attributes.flow
  - fleetmfa.ssh.attributes
  - fleetmfa.ssh.mfa_host
attributes:
  action:
    support: full
    details: Seals what the host returned, on the controller.
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
  - Exempt users are skipped.
  - A host whose clock is off by more than 60 seconds is not collected from; RV(findings) has C(host_clock_off).
seealso:
  - module: fleetmfa.ssh.totp_key_merge
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
accounts:
  description: The accounts of the host that the options name; those that have a key in the key store are given it.
  returned: success
  type: list
  elements: str
  sample: [alice, bob]
collected:
  description: The number of validated keys that were read, those of second devices included.
  returned: success
  type: int
  sample: 2
sealed:
  description:
    - What M(fleetmfa.ssh.totp_key_merge) needs of this host, keys included. It is encrypted with a key that exists only in the memory
      of this run.
  returned: success
  type: str
clock_offset:
  description: By how many seconds the host's clock is ahead of the controller's, as far as a call can tell.
  returned: success
  type: int
  sample: 0
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

import json
import time

from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.root.policy import with_host_policy
from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.collection import collected_keys, selected_accounts
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.options import HOST_ARGUMENTS, MfaHost
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.sealed import sealed
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.second_collection import collected_seconds
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.selection import refuse_unknown_groups
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.settings import check_choice
from ansible_collections.fleetmfa.ssh.plugins.module_utils._module import Module
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.root import require_root

ARGUMENTS = {
    **HOST_ARGUMENTS,
    "users": {"type": "list", "elements": "str", "default": []},
    "unknown_groups": {"type": "str", "default": "error"},
    "human_accounts": {"type": "bool", "default": False},
    "check_mfa_keys": {"type": "bool", "default": False},
    "seal": {"type": "str", "no_log": True},
}


def main() -> None:
    module = Module(ARGUMENTS, supports_check_mode=True)
    params = module.params
    try:
        require_root()
        check_choice("unknown_groups", params["unknown_groups"], ("error", "skip"))
        if params["unknown_groups"] == "error":
            refuse_unknown_groups(params["users"], "unknown_groups")
        host = MfaHost.from_options(with_host_policy(params), given=params)
        host.state_dir.check()
        accounts = selected_accounts(params["users"], params["human_accounts"], host)
        keys, unusable = collected_keys(accounts, host)
        seconds, unusable_seconds = collected_seconds([one["user"] for one in keys], host)
        content = json.dumps([*keys, *seconds]).encode()
        module.exit_json(
            changed=False,
            accounts=accounts,
            unusable={**unusable_seconds, **unusable},
            clock=time.time(),
            sealed=sealed(params["seal"] or "", content),
        )
    except FleetMfaError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
