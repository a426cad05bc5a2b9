#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: totp_validate
short_description: Validate pending TOTP keys with two tokens
version_added: 0.1.0
author:
  - The fleetmfa founders (@fleetmfa)
description:
  - Validates a user's pending key, given two tokens from two different time steps, and makes the user a member of the
    enforced group. From the next connection on the user is asked for a token.
  - Both tokens are used up by this. Neither can be used to log in afterwards.
  - The second token must be one that the PAM module would accept now, since otherwise a validated user could not log
    in. The first must be from an earlier time step, at most 5 minutes before.
  - After 5 wrong tries within 10 minutes, the user's tokens are not checked for 10 minutes. The count is written to disk
    before the result is returned.
  - A refusal does not tell which token was wrong. A wrong clock, and by how much it is off, is reported only if both
    tokens belong to the key.
options:
  validations:
    description: The users and their tokens.
    type: list
    elements: dict
    required: true
    suboptions:
      user:
        description: Name of an account on this host.
        type: str
        required: true
      device:
        description:
          - The name of a second device, whose key the tokens are of. Without it, they are of the user's first device.
          - The first device must be validated before the second one.
        type: str
        version_added: 0.2.0
      tokens:
        description:
          - Two tokens in the order in which the authenticator app showed them, six digits each; blanks inside are allowed.
          - Quote them in YAML, since a token may begin with 0.
        type: list
        elements: str
        required: true
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
  - ansible.builtin.action_common_attributes.flow
  - fleetmfa.ssh.attributes
  - fleetmfa.ssh.mfa_host
  - fleetmfa.ssh.confirmed
attributes:
  check_mode:
    support: partial
    details:
      - Tokens are not checked in check mode, since it could then be used to try tokens without being counted. It
        predicts the change as if both tokens were right, and fails if the tokens would not be checked at all.
  diff_mode:
    support: full
    details: Shows one line for each user; never a token.
  idempotent:
    support: full
    details:
      - If a user's key is already validated and no other key is pending, nothing is changed and the tokens are
        not checked.
  platform:
    support: full
    platforms: posix
notes:
  - All validations are tried. The call fails if any of them failed; those that succeeded are kept.
  - Runs as root on the host.
seealso:
  - module: fleetmfa.ssh.totp_key
"""

EXAMPLES = r"""
- name: Validate Alice's key with the two tokens she read to the service desk
  fleetmfa.ssh.totp_validate:
    validations:
      - user: alice
        tokens: ["{{ first_token }}", "{{ second_token }}"]
"""

RETURN = r"""
users:
  description: One entry for each validation, in the same order; also returned if the call fails.
  returned: always
  type: list
  elements: dict
  contains:
    user:
      description: The user.
      type: str
      sample: alice
    validated:
      description: Whether the user has a validated key and no pending key after the call.
      type: bool
    changed:
      description: Whether anything changed for this user.
      type: bool
    enforced:
      description: Whether the user is a member of the enforced group after the call.
      type: bool
    exempt:
      description: Whether the user is exempt.
      type: bool
    drift_seconds:
      description:
        - Minimum number of seconds by which the clock of the user's device is off, positive if it is ahead; V(0) if no
          drift was detected.
        - Absent in check mode and if nothing was validated, except with RV(users[].reason=clock_off).
      type: int
      sample: 0
    reason:
      description:
        - Why the validation failed; absent if it succeeded.
        - V(malformed) not six digits; V(same_step) the same token twice; V(wrong) at least one token is wrong;
          V(order) the second token is older than the first; V(too_far_apart) more than 5 minutes between them;
          V(clock_off) the device's clock is off by RV(users[].drift_seconds); V(already_used) a token was used before;
          V(no_first_factor) the user could not log in any more, since there is no SSH key or password to go with the token;
          V(too_many_tries) tokens are not checked for RV(users[].wait_seconds); V(no_pending_key) there is no pending key;
          V(error) anything else, see the message.
      type: str
      sample: wrong
    wait_seconds:
      description: Seconds until tokens are checked again; only with RV(users[].reason=too_many_tries).
      type: int
"""

import time

from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.root.policy import (
    with_host_first_factor,
    with_host_policy,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.options import HOST_ARGUMENTS, MfaHost
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.validations import Validations
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.connected_module import ConnectedModule
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.enforcing import CONFIRMED_ARGUMENTS, Joining
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.root import require_root

ARGUMENTS = {
    **HOST_ARGUMENTS,
    **CONFIRMED_ARGUMENTS,
    "validations": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "user": {"type": "str", "required": True},
            "device": {"type": "str"},
            "tokens": {"type": "list", "elements": "str", "required": True, "no_log": True},
        },
    },
}


def main() -> None:
    module = ConnectedModule(ARGUMENTS, supports_check_mode=True)
    # If a list is given as one string, Ansible hides that string, not its parts.
    module.no_log_values.update(token for wish in module.params["validations"] for token in wish["tokens"] if token)
    try:
        require_root()
        host = MfaHost.from_options(with_host_policy(module.params), given=module.params)
        module.params["unknown_first_factor"] = with_host_first_factor(module.params["unknown_first_factor"])
        joining = Joining(host, module.params, module.connection, module.warn)
        validations = Validations(host, module.params["validations"], time.time(), joining.shut_out)
        joining.refuse(validations.to_be_enforced)
    except FleetMfaError as error:
        module.fail_json(msg=str(error), changed=False)
    try:
        if module.check_mode:
            validations.predict()
        else:
            with joining.turn():
                validations.run(joining.join)
    except FleetMfaError as error:
        module.fail_json(**{**validations.result(), "msg": str(error), "changed": error.changed})
    for one in validations.of_users:
        if one.settled:
            module.warn(f"{one.user}: the key is already validated, so these tokens were not checked")
    if validations.failures:
        module.fail_json(msg=validations.message(), **validations.result(), **joining.result)
    module.exit_json(**validations.result(), **joining.result)


if __name__ == "__main__":
    main()
