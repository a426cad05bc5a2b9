#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: totp_key_info
short_description: Report the state of the TOTP keys on a host
version_added: 0.1.0
author:
  - The fleetmfa founders (@fleetmfa)
description:
  - Reports for each user whether the key is pending or validated, whether the user is enforced, when the last login
    with a token was, how many recovery codes are left, until when a pending key must be validated, and what is wrong with
    the key file.
  - Read-only. Never returns a secret, a token or a recovery code.
options:
  users:
    description:
      - Users to report on.
      - By default every user who has a key or is a member of the enforced group, and every human account.
    type: list
    elements: str
  issuer:
    description: The expected issuer. This option and the following ones are only compared, see RV(users[].differs).
    type: str
  period:
    description: The expected length of a time step in seconds, 1 to 60.
    type: int
  window:
    description: The expected window, 1 to 100.
    type: int
  rate_limit_attempts:
    description: The expected number of attempts of the rate limit, 1 to 100.
    type: int
  rate_limit_seconds:
    description: The expected interval of the rate limit in seconds, 1 to 3600.
    type: int
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
  - fleetmfa.ssh.attributes
  - fleetmfa.ssh.mfa_host
attributes:
  check_mode:
    support: full
    details: Changes nothing in either mode.
  diff_mode:
    support: none
    details: Changes nothing, so there is no difference to show.
  idempotent:
    support: full
  platform:
    support: full
    platforms: posix
notes:
  - Runs as root on the host.
  - The guard (C(mfa_guard)) records when it last let each user in, with a token or a recovery code. Without the guard login
    times come from the time steps of used tokens, and a login with a recovery code leaves no time.
seealso:
  - module: fleetmfa.ssh.totp_key
  - module: fleetmfa.ssh.fleet_status
"""

EXAMPLES = r"""
- name: Read the keys
  fleetmfa.ssh.totp_key_info:
    window: 3
    exempt_users: [ansible]
  register: keys

- name: List the users who are not validated yet
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
      description: Whether the account exists on the host.
      type: bool
    state:
      description: State of the key; V(none), V(pending) or V(validated).
      type: str
      sample: validated
    status:
      description:
        - What happens to the user at a login.
        - V(validated), a token is asked for. V(denied), every login is denied, since the key is revoked, lost or unusable.
        - V(not_asked), a validated key whose user is not a member of the enforced group, so that no token is asked for.
        - V(pending), a key to be validated. V(overdue), the same after RV(users[].enrollment_deadline); what follows from
          that is set in C(mfa_enrollment_overdue).
        - V(exempt), never asked. V(not_provisioned), no key. V(no_account), no such account on this host.
      type: str
      sample: validated
      version_added: 0.2.0
    enforced:
      description: Whether the user is a member of the enforced group and is therefore asked for a token.
      type: bool
    exempt:
      description: Whether the user is exempt.
      type: bool
    exempt_until:
      description:
        - The last day of the exemption, a calendar day of the host; V(null) if it has no end, or the user is not exempt.
        - A day that is over is that of somebody who stays exempt since being asked would lock somebody out (C(docs/exemptions.md)).
      type: str
      sample: "2026-03-31"
      version_added: 0.2.0
    revoked:
      description: Whether all keys of the person were revoked in the key store, so that the user is denied on purpose.
      type: bool
      version_added: 0.2.0
    since:
      description: When the key was created (if pending) or validated; V(null) if unknown.
      type: str
      sample: "2026-01-31T09:00:00Z"
    last_mfa_login:
      description:
        - When a token, or a recovery code, last let the user in; V(null) if that never happened with the present key.
        - Without the guard, the time step of the last token.
      type: str
      sample: "2026-01-31T09:00:00Z"
    recovery_codes_left:
      description: Number of unspent recovery codes.
      type: int
      sample: 5
    clock_drift_seconds:
      description: How far off the clock of the user's device was at validation; V(null) if the key was not validated with tokens.
      type: int
      sample: 0
    rate_limited:
      description: Whether the PAM module denies the next login without checking the token, because of too many attempts.
      type: bool
    rate_limited_until:
      description: When the rate limit ends; V(null) if not rate-limited.
      type: str
    wrong_tokens:
      description: How many wrong tokens in a row the guard has counted since the user's last login, all after an accepted SSH key.
      type: int
      sample: 0
      version_added: 0.2.0
    locked:
      description: Whether the guard denies the next login without a prompt, because of too many wrong tokens.
      type: bool
      version_added: 0.2.0
    locked_until:
      description: When that ends; V(null) if the user is not locked, or until an operator unlocks the user (M(fleetmfa.ssh.totp_unlock)).
      type: str
      version_added: 0.2.0
    suspended:
      description:
        - Whether only a recovery code lets the user in, because of a hundred wrong tokens in a row.
        - At two hundred RV(users[].locked) is true until an operator unlocks the user.
      type: bool
      version_added: 0.2.0
    validation_refused_until:
      description: When tokens for the pending key are checked again after too many wrong tries; V(null) if they are checked now.
      type: str
    enrollment_deadline:
      description:
        - The first day on which the pending key counts as overdue, a calendar day of the host.
        - V(null) if there is nothing to validate, the user is exempt, or enrollment is not installed (C(/etc/fleetmfa/policy.conf)).
      type: str
      sample: "2026-02-07"
      version_added: 0.2.0
    rotation_pending:
      description: Whether the user has a pending key in addition to a validated one.
      type: bool
    devices:
      description:
        - The devices with a validated key, by name. The first one is V(first), or has the name of the second device whose key
          took its place.
        - Empty for a user whose keys were revoked.
      type: list
      elements: str
      version_added: 0.2.0
      sample: [first, tablet]
    second_device:
      description: The user's second device; V(null) if there is none, or if the host cannot read its key, which no login takes then.
      type: dict
      version_added: 0.2.0
      contains:
        device:
          description: Its name.
          type: str
          sample: tablet
        state:
          description: State of its key, V(pending) or V(validated).
          type: str
          sample: validated
        since:
          description: When the key was made or validated; UTC, ISO 8601.
          type: str
          sample: "2026-01-31T08:00:00Z"
    pending_origin:
      description:
        - Where the pending key came from. V(host) if this host made it, V(operator) if its secret was given to
          M(fleetmfa.ssh.totp_key).
        - V(null) if there is no pending key, or if its origin is unknown, which is also one of RV(users[].problems).
      type: str
      sample: host
    problems:
      description:
        - What is wrong with the user's key files, and with the user's group, exemption and account. Line numbers only, no content.
        - Each is a finding, as M(fleetmfa.ssh.sshd_policy_info) returns it, the most severe first.
      type: list
      elements: dict
      contains:
        id:
          description: Kind of the problem. It never changes its meaning.
          type: str
          sample: key_dead
        severity:
          description: V(critical), V(high), V(medium) or V(low).
          type: str
          sample: critical
        evidence:
          description: What was found, with the file and the line.
          type: list
          elements: str
        remedy:
          description: What to do.
          type: str
    differs:
      description: The given options that do not match the user's keys.
      type: list
      elements: str
      sample: [window]
last_sync:
  description: When the host was last given the keys of the key store (M(fleetmfa.ssh.totp_key_distribute)); V(null) if never.
  returned: success
  type: str
  sample: "2026-01-31T09:00:00Z"
  version_added: 0.2.0
"""

import time
from functools import partial

from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit.deadlines import deadlines_of_host
from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit.host_policy import (
    exemptions_of_host,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.root.policy import (
    with_host_policy,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.options import HOST_ARGUMENTS, MfaHost
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.problems import spelling_findings
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.report import (
    EXPECTABLE,
    report,
    utc,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.settings import check_ranges
from ansible_collections.fleetmfa.ssh.plugins.module_utils._module import Module
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import human_accounts, known_as
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.exemptions import last_day
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


def main() -> None:
    module = Module(ARGUMENTS, supports_check_mode=True)
    params = module.params
    try:
        require_root()
        host = MfaHost.from_options(with_host_policy(params), given=params)
        check_ranges(params)
        host.state_dir.check()
        members = host.group.members
        users = params["users"]
        if users is None:
            users = sorted({*map(known_as, {*host.state_dir.users(), *members}), *human_accounts()})
        expected = {name: params[name] for name in EXPECTABLE if params[name] is not None}
        now = time.time()
        misspelled = spelling_findings(host.state_dir, host.group)
        enrollment_of = deadlines_of_host(module.warn)
        until = partial(last_day, exemptions_of_host(params))
        reports = [
            report(known_as(user), host, members, misspelled, expected, enrollment_of, now, until) for user in users
        ]
        module.exit_json(changed=False, users=reports, last_sync=utc(host.state_dir.last_sync))
    except FleetMfaError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
