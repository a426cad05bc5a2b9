#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: totp_key_collect
short_description: Add what a host knows of the users' keys to the key store
version_added: 0.2.0
author:
  - The fleetmfa founders (@fleetmfa)
description:
  - Reads the validated keys of any number of users of a host in one call and merges them into the key store on the
    controller, with spent recovery codes, used tokens, and the drift of the device's clock.
  - Keys that are pending on the host are not collected, since nobody has proven to have them.
  - Changes nothing on the host. The key store is named by the variables C(mfa_store), C(mfa_store_path) and so on,
    see C(docs/key_store.md).
  - The order of hosts does not matter, nor does the number of runs or of controllers.
options:
  users:
    description:
      - Users whose keys are collected; V(%admins) means the members of group C(admins) on the host.
      - Names without an account on the host are skipped.
    type: list
    elements: str
    default: []
  human_accounts:
    description: Whether to also collect the keys of every human account on the host, as O(fleetmfa.ssh.totp_key#module:human_accounts).
    type: bool
    default: false
  key_max_age:
    description:
      - Days after which a person's validated key is to be replaced, 0 to 3650; V(0) means never.
      - The key store records this, and M(fleetmfa.ssh.totp_key_distribute) gives the user a new pending key.
    type: int
    default: 0
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
    details: Reads and changes the key store on the controller.
  async:
    support: none
  bypass_host_loop:
    support: none
  check_mode:
    support: full
  diff_mode:
    support: full
    details: Shows one line for each person, such as C(alice - key validated on web1); never a secret.
  idempotent:
    support: full
    details: A login between the runs is a change, since its token is now used.
  platform:
    support: full
    platforms: posix
notes:
  - Exempt users are skipped.
  - A host whose clock is off by more than 60 seconds is not collected from; RV(findings) has C(host_clock_off).
seealso:
  - module: fleetmfa.ssh.totp_key_distribute
"""

EXAMPLES = r"""
- name: Add the keys of every human account to the key store
  fleetmfa.ssh.totp_key_collect:
    human_accounts: true
    exempt_users: [ansible, breakglass]
  register: collected

- name: Give the host the keys of the same users
  fleetmfa.ssh.totp_key_distribute:
    accounts: "{{ collected.accounts }}"
    exempt_users: [ansible, breakglass]
"""

RETURN = r"""
accounts:
  description: The accounts of the host that the options name, for M(fleetmfa.ssh.totp_key_distribute).
  returned: success
  type: list
  elements: str
  sample: [alice, bob]
collected:
  description: The number of validated keys that were read.
  returned: success
  type: int
  sample: 2
people:
  description: The people whose record in the key store changed.
  returned: success
  type: list
  elements: str
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
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.settings import RANGES, check_ranges
from ansible_collections.fleetmfa.ssh.plugins.module_utils._module import Module
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.root import require_root

ARGUMENTS = {
    **HOST_ARGUMENTS,
    "users": {"type": "list", "elements": "str", "default": []},
    "human_accounts": {"type": "bool", "default": False},
    "key_max_age": {"type": "int", "default": RANGES["key_max_age"].default},
    "seal": {"type": "str", "no_log": True},
}


def main() -> None:
    module = Module(ARGUMENTS, supports_check_mode=True)
    params = module.params
    try:
        require_root()
        check_ranges({"key_max_age": params["key_max_age"]})
        host = MfaHost.from_options(with_host_policy(params), given=params)
        host.state_dir.check()
        accounts = selected_accounts(params["users"], params["human_accounts"], host)
        keys, unusable = collected_keys(accounts, host)
        content = json.dumps(keys).encode()
        module.exit_json(
            changed=False,
            accounts=accounts,
            unusable=unusable,
            clock=time.time(),
            sealed=sealed(params["seal"] or "", content),
        )
    except FleetMfaError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
