#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: totp_key
short_description: Manage the TOTP keys of the users of a host
version_added: 0.1.0
author:
  - The fleetmfa founders (@fleetmfa)
description:
  - Creates, changes, rotates and removes the TOTP keys of any number of users in one call. Every user it manages is
    a member of the enforced group if the key is validated and the user is not exempt, and not a member otherwise.
  - An existing key file is merged, never overwritten. The PAM module C(pam_google_authenticator) keeps its state in the
    same file, and writing back an old state would make used tokens and spent recovery codes valid again.
  - A pending key changes nothing at login. A user is asked for a token once the key is validated, by two tokens
    (M(fleetmfa.ssh.totp_validate)) or by O(keys[].state=validated).
  - A member whose validated key is lost stays a member, so every login is denied. Only O(keys[].state=absent) and
    the exempt lists remove a user from the enforced group.
  - All entries are checked before anything is written. If any entry is invalid, nothing is changed and the error lists
    every invalid entry.
options:
  keys:
    description: The users and the desired state of their keys.
    type: list
    elements: dict
    default: []
    suboptions:
      user:
        description:
          - Name of an account on this host. With O(keys[].state=absent) the account may already be gone.
          - The name is looked up in the system's account database, and the name found there is used. If two entries name
            the same account, the error shows both spellings.
          - Names that would lead out of the key folder are refused.
        type: str
        required: true
      device:
        description:
          - The name of a second device, such as V(tablet), whose key this entry is about. Without it the entry is about the user's
            first device. A user may have an entry for each, and at most two devices.
          - A token of either device lets the user in. This needs lines in PAM that role P(fleetmfa.ssh.mfa#role) adds with
            C(mfa_second_device); without them a second device is never accepted.
          - O(keys[].secret) is required for a new key, since no host shows the key of a second device. It must not be that of the
            first device. There are no O(keys[].recovery_codes) for it.
          - A second device is validated after the first one, and counts only beside it.
          - With O(keys[].state=absent) the device is revoked and the first one stays. Whatever releases the user, or denies a user
            whose keys were revoked in the key store, removes the key of the second device, too.
        type: str
        version_added: 0.2.0
      state:
        description:
          - V(present) the user has a key. An existing key keeps its state; a new key is pending.
          - V(pending) the user has only a pending key and is not enforced. Refused for a user with a validated key, who
            could then log in without a token.
          - V(validated) the user has a validated key and is enforced, without having given two tokens. If the user's
            app does not hold the key, the user is locked out. Requires O(keys[].secret) or a pending key.
          - V(rotated) a new key is pending. A validated key stays enforced until the new one is validated and replaces
            it. A member of the enforced group whose validated key is lost stays denied until then.
          - V(absent) the user has no key and is not enforced. This is the only state that releases a user.
          - V(promoted), only with O(keys[].device) - the first device is lost or revoked. The validated key of this device takes its
            place at once, and the user stays enforced. It has no recovery codes until the user makes some (C(mfa-enroll)).
            Take the secret of the lost device out of the user's other entry before.
        type: str
        default: present
      secret:
        description:
          - The secret in base32, upper or lower case, optionally with blanks or dashes between groups; 128 to 1024 bits.
            With the same secret on all hosts, one QR code works for all of them.
          - An otpauth URI is accepted as well. Its issuer, account and period are used unless this entry sets them;
            a URI with other than 6 digits or an algorithm other than SHA1 is refused.
          - A given secret may already be validated on another host, so no host shows it. The user needs an enrollment
            sheet (M(fleetmfa.ssh.enrollment_sheets)), and C(mfa-enroll) only asks for two tokens. This applies from the
            first run that gives the secret, even if the host had generated the same key.
          - Without it the host generates a secret of 160 bits. Nobody knows it until the user enrolls on that host; the
            host shows it to the user until it is validated for the first time.
          - A secret that differs from the validated one becomes an additional, pending key, and the validated key stays
            enforced; with O(keys[].state=validated) it replaces the validated key immediately.
        type: str
      issuer:
        description: Overrides O(issuer) for this user. Without both, and without one in O(keys[].secret), an existing key keeps its issuer.
        type: str
      account:
        description:
          - The account name shown in the authenticator app.
          - Without it an existing key keeps its account name. A new key gets that of the user's previous key, the user's name
            if there is none.
        type: str
      recovery_codes:
        description:
          - Recovery codes for a new key, used instead of generated ones; eight digits each, the first not 0.
          - Ignored for an existing key, since a spent code would become valid again.
        type: list
        elements: str
  users:
    description:
      - More users, with O(keys[].state=present). Users also named in O(keys) are managed as O(keys) says.
      - V(%admins) means the members of group C(admins) on this host, also those whose primary group it is, who are not exempt.
    type: list
    elements: str
    default: []
  unknown_users:
    description:
      - What to do about a user without an account on this host. With V(skip) the user is skipped and returned in
        RV(unknown_users), for a fleet in which not every host has the same accounts.
      - The same goes for a group in O(users) that this host does not have, which has no members then.
      - With V(skip) a misspelled name goes unnoticed, and the person it was meant for is not asked for a token.
    type: str
    default: error
  human_accounts:
    description:
      - Whether to also manage, with O(keys[].state=present), every human account on this host (UID in the range of
        C(/etc/login.defs), with a login shell) that is neither named in O(keys) or O(users) nor exempt.
    type: bool
    default: false
  factors:
    description:
      - The factors that an enforced user will need, V(publickey+totp), V(password+totp) or V(either), as C(mfa_factors) of
        role P(fleetmfa.ssh.mfa#role), for a policy that is put in force after this call. Without it, what sshd demands of
        members of O(group) now.
      - A user who is about to become a member and lacks the first factor is an error, see O(unknown_first_factor).
    type: str
  other_members:
    description:
      - What to do about a member of the enforced group who is not named in this call and has no usable validated key,
        because the file was lost or the account was renamed. Every login of such a user is denied until
        O(keys[].state=absent) or an exemption releases the user.
      - With V(error) nothing is changed, and the error names every such user. With V(report) the call continues, warns
        about them and returns them in RV(denied_users); use it to repair one user while others are still broken.
    type: str
    default: error
  issuer:
    description:
      - The issuer of the keys, as shown in the authenticator app. Must not contain a colon.
      - Without it an existing key keeps its issuer. A new key gets that of the user's previous key, V(SSH) if there is none.
    type: str
  digits:
    description: Number of digits of a token. Must be 6, since C(pam_google_authenticator) checks no others.
    type: int
    default: 6
  period:
    description:
      - Length of a time step in seconds, 1 to 60. Most authenticator apps support only 30, and some ignore any other
        value.
      - The period is part of a key. An existing key keeps its period, because the user's app uses it; together with
        O(keys[].secret) a different period makes a different key.
      - Without it a new key gets the period of the user's previous key, V(30) if there is none, and O(keys[].secret) means
        the user's key with that secret, whatever its period.
    type: int
  window:
    description:
      - How many time steps around the current one the PAM module accepts, 1 to 100. V(3) means the current one, one
        before and one after.
      - A larger window tolerates clocks that are further off, but also makes it easier to guess a token or to replay one.
      - Without it an existing key keeps its window. A new key gets that of the user's previous key, V(3) if there is none.
    type: int
  rate_limit_attempts:
    description:
      - How many logins, successful or not, the PAM module accepts within O(rate_limit_seconds), 1 to 100. Further logins
        are denied without checking the token.
      - Without it an existing key keeps its value. A new key gets that of the user's previous key, V(3) if there is none.
    type: int
  rate_limit_seconds:
    description:
      - The interval in seconds that O(rate_limit_attempts) applies to, 1 to 3600.
      - Without it an existing key keeps its value. A new key gets that of the user's previous key, V(30) if there is none.
    type: int
  recovery_code_count:
    description:
      - Number of recovery codes generated with a new key, 0 to 100. Each code replaces the device for one login.
      - An existing key never gets additional codes.
    type: int
    default: 5
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
  - ansible.builtin.action_common_attributes.flow
  - fleetmfa.ssh.attributes
  - fleetmfa.ssh.mfa_host
  - fleetmfa.ssh.confirmed
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: Shows one line for each user, such as C(alice - validated key - window 3 -> 5); never a secret.
  idempotent:
    support: partial
    details:
      - Logins between the runs make no difference, although they change the key files. But O(keys[].state=rotated) without
        O(keys[].secret) makes a new key every time.
  platform:
    support: full
    platforms: posix
notes:
  - Runs as root on the host and needs only C(gpasswd) and C(groupadd) there.
  - Generated secrets and recovery codes stay on the host. They are never returned.
seealso:
  - module: fleetmfa.ssh.totp_validate
  - module: fleetmfa.ssh.totp_key_info
"""

EXAMPLES = r"""
- name: Give every human account on the host a key, pending until it is validated
  fleetmfa.ssh.totp_key:
    human_accounts: true
    issuer: Example Corp
    exempt_users: [ansible, breakglass]

- name: Use the same key on every host, from vaulted variables
  fleetmfa.ssh.totp_key:
    issuer: Example Corp
    keys:
      - user: alice
        secret: "{{ vault_totp_alice }}"
      - user: bob
        secret: "{{ vault_totp_bob }}"
        state: validated

- name: Replace Alice's key, since she has a new phone
  fleetmfa.ssh.totp_key:
    keys:
      - user: alice
        state: rotated

- name: Restore the lost key file of Dave, whose app still holds the key
  fleetmfa.ssh.totp_key:
    keys:
      - user: dave
        state: validated
        secret: "{{ vault_totp_dave }}"
    other_members: report

- name: Give Alice's tablet a key of its own, to be validated with two tokens
  fleetmfa.ssh.totp_key:
    keys:
      - user: alice
        device: tablet
        secret: "{{ vault_totp_alice_tablet }}"

- name: Revoke the key of Alice's lost phone; her tablet is her first device now
  fleetmfa.ssh.totp_key:
    keys:
      - user: alice
        device: tablet
        state: promoted

- name: Remove the key of Carol, who has left
  fleetmfa.ssh.totp_key:
    keys:
      - user: carol
        state: absent
"""

RETURN = r"""
users:
  description: One entry for each user in the call, in the same order; then one for each second device.
  returned: success
  type: list
  elements: dict
  contains:
    user:
      description: The user.
      type: str
      sample: alice
    device:
      description: The name of the second device that the entry is about. Absent for the first one.
      type: str
      sample: tablet
    state:
      description: State of the key after the call; V(none), V(pending) or V(validated).
      type: str
      sample: pending
    rotation_pending:
      description: Whether the user has a pending key in addition to a validated one.
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
    problems:
      description:
        - Errors in the key files that make the PAM module deny logins or ignore lines. Line numbers only, no content.
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
put_away:
  description:
    - Users whose keys were moved aside, to folder C(put-away) in O(state_dir), because the account is gone or an account with
      another user id now has its name.
    - An account of a directory service is not considered gone just because the lookup finds nothing.
  returned: success
  type: list
  elements: str
unknown_users:
  description: Users that were skipped because they have no account on this host.
  returned: success
  type: list
  elements: str
denied_users:
  description: Members of the enforced group without a usable validated key. Every login of these users is denied. Also
    given as warnings.
  returned: success
  type: list
  elements: str
"""

from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.root.policy import (
    with_host_first_factor,
    with_host_policy,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.options import HOST_ARGUMENTS, MfaHost
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.connected_module import ConnectedModule
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.enforcing import CONFIRMED_ARGUMENTS
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.provisioning import (
    KEYS_ARGUMENTS,
    Provisioning,
    check_choices,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.root import require_root


def main() -> None:
    module = ConnectedModule({**HOST_ARGUMENTS, **CONFIRMED_ARGUMENTS, **KEYS_ARGUMENTS}, supports_check_mode=True)
    params = module.params
    try:
        require_root()
        check_choices(params)
        host = MfaHost.from_options(with_host_policy(params), given=params)
        params["unknown_first_factor"] = with_host_first_factor(params["unknown_first_factor"])
        provisioning = Provisioning(host, params, module.connection, module.warn, module.no_log_values.update)
        module.exit_json(**provisioning.run(module.check_mode))
    except FleetMfaError as error:
        module.fail_json(msg=str(error), changed=error.changed)


if __name__ == "__main__":
    main()
