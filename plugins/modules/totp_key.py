#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the fleetmfa.ssh authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: totp_key
short_description: Manage the TOTP keys of the users of a host
version_added: 0.1.0
author:
  - The fleetmfa founders (@fleetmfa)
description:
  - Creates, changes, rotates and removes the TOTP keys of any number of users in one call, and keeps membership of the
    enforced group equal to I(validated and not exempt) for every user it decides of.
  - A key file is merged, never written anew. The PAM module C(pam_google_authenticator) keeps its state in the same
    file, and writing an old state again would make a used token valid and bring spent recovery codes back.
  - A pending key changes nothing at login. A user is asked for a token once the key is validated, by two tokens
    (M(fleetmfa.ssh.totp_validate)) or by O(keys[].state=validated).
  - A member who has lost the validated key stays a member, so every login is denied. Only O(keys[].state=absent) and
    the exempt lists take somebody out of the enforced group.
  - All entries are checked before anything is written. If one is bad, nothing is changed and the error names all of
    them.
options:
  keys:
    description: The users and what their keys shall be.
    type: list
    elements: dict
    default: []
    suboptions:
      user:
        description:
          - Name of an account of this host. With O(keys[].state=absent) the account may be gone already.
          - The account is what the system's database answers with, by whatever spelling it is asked; the same account given twice
            is an error that names both spellings.
          - Names that could leave the folder of keys are refused.
        type: str
        required: true
      state:
        description:
          - V(present) a key exists, and whatever state it has is kept; a new one is pending.
          - V(pending) the user has a pending key only and is not enforced. Refused for a user with a validated key, who
            would be let in without a token.
          - V(validated) the user has a validated key and is enforced, without having given two tokens. If the user's
            app does not hold the key, the user is locked out. It needs O(keys[].secret) or a pending key.
          - V(rotated) a new key is pending. A validated key stays enforced until the new one is validated and replaces
            it. A member of the enforced group who has lost the validated key stays denied until then.
          - V(absent) the user has no key and is not enforced. The only state that releases a user.
        type: str
        choices: [present, pending, validated, rotated, absent]
        default: present
      secret:
        description:
          - The secret in base32, upper or lower case, with blanks or dashes between groups; 128 to 1024 bits. The same
            secret on all hosts makes one QR code serve them all.
          - An otpauth URI holds all of a key, so it may stand here too. Its issuer, account and period count unless this entry says
            otherwise; tokens of other than 6 digits and algorithms other than SHA1 are refused.
          - A given secret may be validated on another host, so no host shows it. The user needs an enrollment sheet
            (M(fleetmfa.ssh.enrollment_sheets)), and C(mfa-enroll) asks for two tokens only. That holds from the first run
            that gives it, also for a key that the host had generated.
          - Without it the host generates one of 160 bits, and nobody knows it until the user enrolls on that host, which
            shows it to the user until it is validated for the first time.
          - A secret that differs from the validated one becomes a pending key beside it, and the validated one stays
            enforced; with O(keys[].state=validated) it replaces it at once.
        type: str
      issuer:
        description: Overrides O(issuer) for this user.
        type: str
      account:
        description: The name of the account in the authenticator app. The user's name if it is not given.
        type: str
      recovery_codes:
        description:
          - Recovery codes for a new key, eight digits each, the first not 0; instead of generated ones.
          - For a key that exists this is ignored, else a spent code would become valid again.
        type: list
        elements: str
  users:
    description:
      - Also these users, with O(keys[].state=present) where O(keys) does not name them.
    type: list
    elements: str
    default: []
  unknown_users:
    description:
      - What to do about a user whom this host does not have. With V(skip) the user is left out and returned in
        RV(unknown_users), for a fleet whose hosts do not all have the same accounts.
      - V(skip) lets a misspelt name go by, and whoever it stands for is not asked for a token.
    type: str
    choices: [error, skip]
    default: error
  human_accounts:
    description:
      - Also every account of a person on this host (UID in the range of C(/etc/login.defs), with a login shell) that is
        neither named in O(keys) or O(users) nor exempt, with O(keys[].state=present).
    type: bool
    default: false
  other_members:
    description:
      - What to do about a member of the enforced group whom this call does not name and who has no sound validated key,
        because the file was lost or the account was renamed. Every login of such a user is denied, and nothing but
        O(keys[].state=absent) or an exemption releases the user.
      - V(error) nothing is changed, and the error names each of them. V(report) the call goes on; they are returned in
        RV(denied_users) and warned of, as where one user is put right among several.
    type: str
    choices: [error, report]
    default: error
  issuer:
    description: Who issues the keys, as the authenticator app shows it. No colon.
    type: str
    default: SSH
  digits:
    description: Digits of a token. C(pam_google_authenticator) checks tokens of 6 digits only.
    type: int
    default: 6
  period:
    description:
      - Seconds of a time step, 1 to 60. Most authenticator apps know 30 only, and some ignore any other value.
      - It belongs to a key. A key that exists keeps its own, because the user's app counts in it; together with
        O(keys[].secret) another period makes another key.
    type: int
    default: 30
  window:
    description:
      - How many time steps around now the PAM module accepts, 1 to 100. V(3) means one before and one after.
      - A larger window is kinder to clocks that are off and to whoever guesses tokens or replays an observed one.
    type: int
    default: 3
  rate_limit_attempts:
    description:
      - Logins, good or bad, that the PAM module takes within O(rate_limit_seconds), 1 to 100. More are denied unasked.
    type: int
    default: 3
  rate_limit_seconds:
    description: The seconds that O(rate_limit_attempts) counts in, 1 to 3600.
    type: int
    default: 30
  recovery_code_count:
    description:
      - Recovery codes generated with a new key, 0 to 100. Each lets the user in once without the device.
      - They are never replenished for a key that exists.
    type: int
    default: 5
extends_documentation_fragment:
  - fleetmfa.ssh.mfa_host
  - fleetmfa.ssh.confirmed
  - fleetmfa.ssh.connection
attributes:
  check_mode:
    description: Can run in check_mode and return changed status prediction without modifying target.
    support: full
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
    support: full
    details: One line a user in words, such as C(alice - validated key - window 3 -> 5); never a secret.
  platform:
    description: Target OS/families that can be operated against.
    support: full
    platforms: posix
notes:
  - Idempotent, also after logins, which change the files; except for O(keys[].state=rotated) without O(keys[].secret),
    which makes a new key every time.
  - Runs as root on the host. Needs C(gpasswd) and C(groupadd) there and nothing else.
  - Generated secrets and recovery codes stay on the host. They are never returned.
seealso:
  - module: fleetmfa.ssh.totp_validate
  - module: fleetmfa.ssh.totp_key_info
"""

EXAMPLES = r"""
- name: Every person of the host has a key, pending until validated
  fleetmfa.ssh.totp_key:
    human_accounts: true
    issuer: Example Corp
    exempt_users: [ansible, breakglass]

- name: The same key on every host, from vaulted variables
  fleetmfa.ssh.totp_key:
    issuer: Example Corp
    keys:
      - user: alice
        secret: "{{ vault_totp_alice }}"
      - user: bob
        secret: "{{ vault_totp_bob }}"
        state: validated

- name: Alice has a new phone
  fleetmfa.ssh.totp_key:
    keys:
      - user: alice
        state: rotated

- name: The key file of Dave is gone, and his app still holds the key
  fleetmfa.ssh.totp_key:
    keys:
      - user: dave
        state: validated
        secret: "{{ vault_totp_dave }}"
    other_members: report

- name: Carol has left
  fleetmfa.ssh.totp_key:
    keys:
      - user: carol
        state: absent
"""

RETURN = r"""
users:
  description: One entry for each user of the call, in the order of the call.
  returned: success
  type: list
  elements: dict
  contains:
    user:
      description: The user.
      type: str
      sample: alice
    state:
      description: V(none), V(pending) or V(validated), after the call.
      type: str
      sample: pending
    rotation_pending:
      description: Whether a new key waits beside the validated one.
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
      description: What in the key files makes the PAM module deny or ignore something, by line number only.
      type: list
      elements: str
put_away:
  description:
    - Users whose keys were put away (folder C(put-away) in O(state_dir)), because the account is gone, or one with another user
      id has its name now.
    - An account of a directory service is not taken to be gone because nothing answers to its name.
  returned: success
  type: list
  elements: str
unknown_users:
  description: Users left out because the host does not have them.
  returned: success
  type: list
  elements: str
denied_users:
  description: Members of the enforced group without a sound validated key, whose every login is denied. Also warned of.
  returned: success
  type: list
  elements: str
"""

import time

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.entry import KEPT, STATES, KeyDefaults, KeyEntry
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.key_file import KeySettings
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.options import HOST_ARGUMENTS, Host
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.owners import leavers
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.plan import apply, denied_users, plan
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.secret_module import SecretModule
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.enforcing import CONFIRMED_ARGUMENTS, Joining
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import human_accounts, known_as, misspelled
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.root import require_root

ARGUMENTS = {
    **HOST_ARGUMENTS,
    **CONFIRMED_ARGUMENTS,
    "keys": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "no_log": False,
        "options": {
            "user": {"type": "str", "required": True},
            "state": {"type": "str", "choices": list(STATES), "default": "present"},
            "secret": {"type": "str", "no_log": True},
            "issuer": {"type": "str"},
            "account": {"type": "str"},
            "recovery_codes": {"type": "list", "elements": "str", "no_log": True},
        },
    },
    "users": {"type": "list", "elements": "str", "default": []},
    "unknown_users": {"type": "str", "choices": ["error", "skip"], "default": "error"},
    "human_accounts": {"type": "bool", "default": False},
    "other_members": {"type": "str", "choices": ["error", "report"], "default": "error"},
    "issuer": {"type": "str", "default": "SSH"},
    "digits": {"type": "int", "default": 6},
    "period": {"type": "int", "default": 30},
    "window": {"type": "int", "default": 3},
    "rate_limit_attempts": {"type": "int", "default": 3},
    "rate_limit_seconds": {"type": "int", "default": 30},
    "recovery_code_count": {"type": "int", "default": 5, "no_log": False},
}


def main():
    module = SecretModule(ARGUMENTS, supports_check_mode=True)
    try:
        require_root()
        module.exit_json(**manage(module))
    except FleetMfaError as error:
        module.fail_json(msg=str(error), changed=error.changed)


def manage(module: SecretModule) -> dict:
    host = Host.from_params(module.params)
    entries = wanted_entries(module, host)
    unknown = [entry for entry in entries if module.params["unknown_users"] == "skip" and entry.lacks_account]
    entries = [entry for entry in entries if entry not in unknown]
    refuse_others = module.params["other_members"] == "error"
    plans = plan(entries, host, refuse_others)
    joining = Joining(host, module.params, module.warn)
    joining.refuse(one.user for one in plans if one.enforced)
    named = {entry.user for entry in entries}
    gone = [one for one in leavers(host.state_dir) if one.name not in named]
    changed = bool(gone) or any(one.changed for one in plans)
    changed = changed or not host.group.exists or not host.state_dir.is_prepared
    if changed and not module.check_mode:
        with joining.turn(), host.state_dir.lock():
            plans = plan(entries, host, refuse_others)  # once more, now that nobody else changes keys
            joining.refuse(one.user for one in plans if one.enforced)
            apply(plans, host, joining.join, gone)
    denied = denied_users(plans, host)
    for user, why in denied.items():
        module.warn(f"user {user}: every login is denied, because the validated key is not sound: {why}")
    words = {one.user: one.differences(host.group.name) for one in plans if one.changed}
    diff = "".join(f"{user}: {', '.join(changes)}\n" for user, changes in words.items())
    diff += "".join(f"{one}\n" for one in gone)
    return {
        "changed": changed,
        "users": [one.result() for one in plans],
        "put_away": sorted({one.name for one in gone} | {one.user for one in plans if one.strangers}),
        "unknown_users": [entry.user for entry in unknown],
        "denied_users": list(denied),
        "diff": {"prepared": diff},
        **joining.result,
    }


def wanted_entries(module: SecretModule, host: Host) -> list[KeyEntry]:
    params = module.params
    if params["digits"] != 6:
        raise FleetMfaError("digits: pam_google_authenticator checks tokens of 6 digits only; leave digits at 6")
    settings = KeySettings(params["window"], params["rate_limit_attempts"], params["rate_limit_seconds"])
    defaults = KeyDefaults(params["issuer"], settings, params["period"], params["recovery_code_count"])
    defaults.check()
    wishes = list(params["keys"])
    named = {known_as(wish["user"]) for wish in wishes}
    wishes += [{"user": user} for user in params["users"] if known_as(user) not in named]
    named.update(map(known_as, params["users"]))
    if params["human_accounts"]:
        people = [user for user in human_accounts() if user not in named and user not in host.exempt]
        named.update(people)
        wishes += [{"user": user} for user in people]
    kept = {user for user in host.group.members if user in host.exempt}
    kept.update(misspelled(host.state_dir.users()).values(), host.group.misspelled().values())
    wishes += [{"user": user, "state": KEPT} for user in sorted(set(map(known_as, kept)) - named)]
    now = time.time()
    return [KeyEntry(wish, defaults, now, module.no_log_values.update) for wish in wishes]


if __name__ == "__main__":
    main()
