#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: totp_unlock
short_description: Let users try again at once who have made too many attempts, or given too many wrong tokens
version_added: 0.2.0
author:
  - The fleetmfa founders (@fleetmfa)
description:
  - Forgets the attempts of users that count for a limit on this host - logins (the PAM module's and the guard's), and wrong
    tokens at a login, at a validation or in C(mfa-enroll). The users can log in again at once, with a token as before, even if
    wrong tokens had locked them until an operator unlocks them.
  - Also forgets where a user has given a token not long ago, so each login is asked again (C(mfa_remember_seconds)); with
    O(only_remembered=true) nothing else.
  - The limits themselves, used tokens, spent recovery codes and claims stay as they are. Prompts that are open at this moment
    are refused.
  - A user without a key here has nothing to forget; a name without an account is skipped.
options:
  users:
    description: The users to unlock, by the names of their accounts on the host.
    type: list
    elements: str
    required: true
  only_remembered:
    description: Whether to forget only where users have given a token not long ago. Attempts and locks stay.
    type: bool
    default: false
  state_dir:
    description: The state directory, the same as for M(fleetmfa.ssh.totp_key).
    type: path
    default: /var/lib/fleetmfa
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
  - fleetmfa.ssh.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: Shows one line for each user, such as C(alice - 3 attempts forgotten).
  idempotent:
    support: full
    details: An attempt between the runs is a change.
  platform:
    support: full
    platforms: posix
seealso:
  - module: fleetmfa.ssh.key_store_change
    description: Writes the reason into the history of the person.
"""

EXAMPLES = r"""
- name: Let alice try again at once
  fleetmfa.ssh.totp_unlock:
    users: [alice]

- name: Ask alice for a token at each login again, wherever she has given one
  fleetmfa.ssh.totp_unlock:
    users: [alice]
    only_remembered: true
"""

RETURN = r"""
users:
  description: One entry for each user with an account on the host.
  returned: success
  type: list
  elements: dict
  contains:
    user:
      description: The user.
      type: str
      sample: alice
    attempts:
      description: How many attempts were on record; some of them may have been too old to count.
      type: int
      sample: 3
    wrong_tokens:
      description: How many wrong tokens in a row the guard had counted.
      type: int
      sample: 10
    locked:
      description: Whether that had locked the user, or suspended the key.
      type: bool
    remembered:
      description: With how many SSH keys and addresses the user may not have been asked again; some of them may have been too old to count.
      type: int
      sample: 1
    changed:
      description: Whether anything was forgotten.
      type: bool
"""

import functools
from typing import Any

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.guard_lock import WrongTokens
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.options import HOST_ARGUMENTS
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.second_keys import SecondKeys
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.state_dir import StateDir, check_user_name
from ansible_collections.fleetmfa.ssh.plugins.module_utils._module import Module
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import account_name
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.root import require_root
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.steps import Step, run_steps

ARGUMENTS = {
    "users": {"type": "list", "elements": "str", "required": True},
    "only_remembered": {"type": "bool", "default": False},
    "state_dir": HOST_ARGUMENTS["state_dir"],
}


def main() -> None:
    module = Module(ARGUMENTS, supports_check_mode=True)
    try:
        require_root()
        params, state_dir = module.params, StateDir(module.params["state_dir"])
        module.exit_json(**unlock(params["users"], state_dir, params["only_remembered"], module.check_mode))
    except FleetMfaError as error:
        module.fail_json(msg=str(error), changed=error.changed)


def unlock(users: list[str], state_dir: StateDir, only_remembered: bool, check_mode: bool) -> dict[str, Any]:
    for user in users:
        check_user_name(user)
    state_dir.check()
    accounts = sorted({account for account in map(account_name, users) if account})
    second = SecondKeys(state_dir)
    found = {user: state_dir.attempts(user) + second.key_attempts(user) for user in accounts}
    wrong = {user: state_dir.wrong_tokens(user) for user in accounts}
    known = {user: state_dir.remembered(user) for user in accounts}
    limited = [user for user in accounts if found[user] or wrong[user] != WrongTokens()] if not only_remembered else []
    remembered = [user for user in accounts if known[user]]
    if not check_mode and (limited or remembered):
        with state_dir.lock():
            run_steps(
                [
                    Step(f"the remembered logins of {user}", functools.partial(state_dir.forget_remembered, user))
                    for user in remembered
                ]
                + [
                    Step(f"the attempts of {user}", functools.partial(keys.forget_attempts, user))
                    for user in limited
                    for keys in (state_dir, second)
                ]
            )
    changed = [user for user in accounts if user in limited or user in remembered]
    return {
        "changed": bool(changed),
        "users": [
            {
                "user": user,
                "attempts": found[user],
                "wrong_tokens": wrong[user].in_a_row,
                "locked": wrong[user].locked or wrong[user].suspended,
                "remembered": known[user],
                "changed": user in changed,
            }
            for user in accounts
        ],
        "diff": {
            "prepared": "".join(_forgotten(user, found[user], wrong[user]) for user in limited)
            + "".join(f"{user}: {known[user]} remembered logins forgotten\n" for user in remembered)
        },
    }


def _forgotten(user: str, attempts: int, wrong: WrongTokens) -> str:
    in_a_row = f", {wrong.in_a_row} wrong tokens in a row" if wrong.in_a_row else ""
    return f"{user}: {attempts} attempts forgotten{in_a_row}\n"


if __name__ == "__main__":
    main()
