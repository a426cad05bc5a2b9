#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: totp_key_import
short_description: Import keys of pam_google_authenticator and pam_oath into the key store
version_added: 0.2.0
author:
  - The fleetmfa founders (@fleetmfa)
description:
  - Reads the keys that users of a host got from another set-up, and adds them to the key store on the controller, with their
    recovery codes and used tokens. The users' authenticator apps go on showing the right tokens.
  - Changes nothing on the host. M(fleetmfa.ssh.totp_key_distribute) gives the keys to all hosts afterwards.
  - A file in a home directory is opened with the rights of the user, and refused unless it is a regular file of the user that
    nobody else can read or write, in a folder that nobody else can write to.
  - No import replaces a validated key of the store. If hosts have different keys of one person, the one that was used most
    recently is imported, see O(rivals).
  - B(Whoever can write to a user's home directory can write a key there,) and an import makes it valid in the whole fleet. Read
    the report; see C(docs/import.md).
options:
  users:
    description:
      - Users whose keys are imported; V(%admins) means the members of group C(admins) on the host.
      - Names without an account on the host are skipped.
    type: list
    elements: str
    default: []
  human_accounts:
    description: Whether to also import the keys of every human account on the host, as O(fleetmfa.ssh.totp_key#module:human_accounts).
    type: bool
    default: false
  secret_file:
    description:
      - The file of each user, as option C(secret=) of C(pam_google_authenticator) names it. C(~), C(${HOME}) and C(${USER})
        are replaced. An empty string means none.
      - A file outside of the home directory must belong to root.
    type: str
    default: ~/.google_authenticator
  oath_file:
    description:
      - The users file of C(pam_oath), as its option C(usersfile=) names it. It must belong to root, and nobody else may read it.
        An empty string means none.
    type: str
    default: /etc/users.oath
  unused:
    description:
      - What a key becomes whose use is not on record, V(pending) or V(validated); with V(skip) it is not imported. A used token on record
        (C(DISALLOW_REUSE), or the last token in the file of C(pam_oath)) shows that somebody has logged in with the key.
      - With V(validated), whoever has such a key in their file is asked for a token from the next C(sync) on, and is locked out
        if they do not have it in their app.
    type: str
    choices: [pending, validated, skip]
    default: pending
  window:
    description:
      - The number of time steps of which tokens will be accepted, 1 to 100. A key whose device's clock is off by more is
        imported as pending, since its user could not log in.
    type: int
    default: 3
  rivals:
    description:
      - RV(imports) of this module, from all hosts of a run in check mode. Of different keys of one person only the one that was
        used most recently is imported. Without it, each host decides alone.
    type: list
    elements: dict
    default: []
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
    details: Shows one line for each key; never a secret.
  idempotent:
    support: full
    details: A login between the runs is a change, since its token is now used.
  platform:
    support: full
    platforms: posix
seealso:
  - module: fleetmfa.ssh.otpauth_import
  - module: fleetmfa.ssh.totp_key_distribute
"""

EXAMPLES = r"""
- name: See what every host has
  fleetmfa.ssh.totp_key_import:
    human_accounts: true
    exempt_users: [ansible, breakglass]
  check_mode: true
  register: seen

- name: Import it, one key a person
  fleetmfa.ssh.totp_key_import:
    human_accounts: true
    exempt_users: [ansible, breakglass]
    rivals: "{{ ansible_play_hosts | map('extract', hostvars, ['seen', 'imports']) | flatten }}"
"""

RETURN = r"""
imports:
  description: What was found, by user; never a secret.
  returned: success
  type: list
  elements: dict
  contains:
    person:
      description: The name in the key store.
      type: str
      sample: alice
    user:
      description: The account on this host; empty for a file or line that belongs to nobody.
      type: str
      sample: alice
    host:
      description: The name of the host in the inventory.
      type: str
      sample: web1
    source:
      description: The file, and the line if it has keys of several users.
      type: str
      sample: /home/alice/.google_authenticator
    imported:
      description: Whether the key is in the store now, and counts.
      type: bool
    state:
      description: V(validated) or V(pending); null if it was not imported.
      type: str
      sample: validated
    why:
      description: Why it was not imported, or why it is pending; empty otherwise.
      type: str
    key:
      description: An id of the key that does not reveal it; null if it could not be read.
      type: str
      sample: 1f0c2d3e4a5b6c7d
    last_used:
      description: When the newest used token on record was used, in seconds since the epoch; null if none is.
      type: int
      sample: 1790000000
    recovery_codes:
      description: The number of recovery codes that are left in the file.
      type: int
      sample: 5
    used_tokens:
      description: The number of time steps whose token is recorded as used.
      type: int
      sample: 1
    not_carried:
      description: Settings in the file that do not become part of the key; those of the role apply.
      type: list
      elements: str
      sample: [WINDOW_SIZE 17, RATE_LIMIT 3 30]
    notes:
      description: What else to know of the key.
      type: list
      elements: str
report:
  description: The same as one line of text for each key.
  returned: success
  type: list
  elements: str
  sample: ["alice on web1: imported as validated; 5 recovery codes; not carried over: WINDOW_SIZE 17 (/home/alice/.google_authenticator)"]
people:
  description: The people whose record in the key store changed.
  returned: success
  type: list
  elements: str
"""

import json
import time

from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.root.policy import with_host_policy
from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.collection import selected_accounts
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.options import HOST_ARGUMENTS, MfaHost
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.sealed import sealed
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.settings import check_ranges
from ansible_collections.fleetmfa.ssh.plugins.module_utils._module import Module
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.foreign_keys import ForeignKeys
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.root import require_root

ARGUMENTS = {
    **HOST_ARGUMENTS,
    "users": {"type": "list", "elements": "str", "default": []},
    "human_accounts": {"type": "bool", "default": False},
    "secret_file": {"type": "str", "default": "~/.google_authenticator", "no_log": False},
    "oath_file": {"type": "str", "default": "/etc/users.oath"},
    "unused": {"type": "str", "choices": ["pending", "validated", "skip"], "default": "pending"},
    "window": {"type": "int", "default": 3},
    "rivals": {"type": "list", "elements": "dict", "default": []},
    "seal": {"type": "str", "no_log": True},
}


def main() -> None:
    module = Module(ARGUMENTS, supports_check_mode=True)
    params = module.params
    try:
        require_root()
        check_ranges(params)
        host = MfaHost.from_options(with_host_policy(params), given=params)
        host.state_dir.check()
        accounts = selected_accounts(params["users"], params["human_accounts"], host)
        found = ForeignKeys(accounts, host, time.time())
        if params["secret_file"]:
            found.read_secret_files(params["secret_file"])
        if params["oath_file"]:
            found.read_oath_file(params["oath_file"])
        module.exit_json(
            changed=False,
            refused=[one._asdict() for one in found.refused],
            sealed=sealed(params["seal"] or "", json.dumps(found.keys).encode()),
        )
    except FleetMfaError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
