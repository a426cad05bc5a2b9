#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the fleetmfa.ssh authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: totp_key_info
short_description: Tell the state of the TOTP keys of a host
version_added: 0.1.0
author:
  - The fleetmfa founders (@fleetmfa)
description:
  - Tells for each user whether the key is pending or validated, whether the user is enforced, when the last login with
    a token was, how many recovery codes are left, and what is wrong with the key file.
  - Reads only. Never returns a secret, a token or a recovery code.
options:
  users:
    description:
      - The users to tell of.
      - Without it, everybody who has a key, is a member of the enforced group, or is the account of a person.
    type: list
    elements: str
  issuer:
    description: What the issuer should be. As every option from here on, it only feeds RV(users[].differs).
    type: str
  period:
    description: What the seconds of a time step should be.
    type: int
  window:
    description: What the window should be.
    type: int
  rate_limit_attempts:
    description: What the attempts of the rate limit should be.
    type: int
  rate_limit_seconds:
    description: What the seconds of the rate limit should be.
    type: int
extends_documentation_fragment:
  - fleetmfa.ssh.mfa_host
attributes:
  check_mode:
    description: Can run in check_mode and return changed status prediction without modifying target.
    support: full
    details: Changes nothing in either mode.
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
    support: none
    details: Changes nothing, so there is no difference to show.
  platform:
    description: Target OS/families that can be operated against.
    support: full
    platforms: posix
notes:
  - Idempotent.
  - Runs as root on the host.
  - The times of logins come from the time steps of used tokens, which the PAM module keeps as long as they could be
    used again. A login with a recovery code leaves no time.
seealso:
  - module: fleetmfa.ssh.totp_key
"""

EXAMPLES = r"""
- name: Read the keys
  fleetmfa.ssh.totp_key_info:
    window: 3
    exempt_users: [ansible]
  register: keys

- name: Who is not validated yet
  ansible.builtin.debug:
    msg: "{{ keys.users | rejectattr('exempt') | rejectattr('state', 'eq', 'validated') | map(attribute='user') }}"
"""

RETURN = r"""
users:
  description: One entry for each user.
  returned: success
  type: list
  elements: dict
  contains:
    user:
      description: The user.
      type: str
      sample: alice
    account_exists:
      description: Whether the host knows the account.
      type: bool
    state:
      description: V(none), V(pending) or V(validated).
      type: str
      sample: validated
    enforced:
      description: Whether the user is a member of the enforced group, so asked for a token.
      type: bool
    exempt:
      description: Whether the user is exempt.
      type: bool
    since:
      description: When the key was made (pending) or validated; V(null) if that is not known.
      type: str
      sample: "2026-01-31T09:00:00Z"
    last_mfa_login:
      description: The time step of the last login with a token; V(null) if there was none since the validation.
      type: str
      sample: "2026-01-31T09:00:00Z"
    recovery_codes_left:
      description: Recovery codes not spent yet.
      type: int
      sample: 5
    clock_drift_seconds:
      description: By how much the user's device was off at the validation; V(null) if there was none.
      type: int
      sample: 0
    rate_limited:
      description: Whether the PAM module denies the next login unasked, because of too many attempts.
      type: bool
    rate_limited_until:
      description: Until when; V(null) if not rate-limited.
      type: str
    validation_refused_until:
      description: Until when tokens for the pending key are not judged, because of wrong tries; V(null) if they are.
      type: str
    rotation_pending:
      description: Whether a new key waits beside the validated one.
      type: bool
    pending_origin:
      description:
        - Where the pending key came from. V(host) if this host made it, V(operator) if its secret was given to
          M(fleetmfa.ssh.totp_key).
        - V(null) if there is none, or if it is not known, which is one of RV(users[].problems).
      type: str
      sample: host
    problems:
      description:
        - What makes the PAM module deny or ignore something, by line number, without contents.
        - Also a pending key whose origin is not known, as version 0.1.0 left them.
      type: list
      elements: str
    differs:
      description: Those of the options given that the user's keys differ from.
      type: list
      elements: str
      sample: [window]
"""

import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.options import HOST_ARGUMENTS, Host
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.report import EXPECTABLE, misnamed, report
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import human_accounts, known_as
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.root import require_root

ARGUMENTS = {
    **HOST_ARGUMENTS,
    "users": {"type": "list", "elements": "str"},
    "issuer": {"type": "str"},
    "period": {"type": "int"},
    "window": {"type": "int"},
    "rate_limit_attempts": {"type": "int"},
    "rate_limit_seconds": {"type": "int"},
}


def main():
    module = AnsibleModule(ARGUMENTS, supports_check_mode=True)
    params = module.params
    try:
        require_root()
        host = Host.from_params(params)
        host.state_dir.check()
        members = host.group.members
        users = params["users"]
        if users is None:
            users = sorted({*map(known_as, {*host.state_dir.users(), *members}), *human_accounts()})
        expected = {name: params[name] for name in EXPECTABLE if params[name] is not None}
        now = time.time()
        wrong = misnamed(host)
        reports = [report(known_as(user), host, members, wrong, expected, now) for user in users]
        module.exit_json(changed=False, users=reports)
    except FleetMfaError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
