#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: totp_host
short_description: Keys, programs, PAM and sshd, and enrollment of a host in one call
version_added: 0.2.0
author:
  - The fleetmfa founders (@fleetmfa)
description:
  - Does what M(fleetmfa.ssh.totp_key), M(fleetmfa.ssh.host_files) and M(fleetmfa.ssh.totp_rollout) do, with the same code, in one call
    instead of several. Role P(fleetmfa.ssh.mfa#role) uses it, since on a host where nothing is to be changed most of the time goes into
    starting modules.
  - There are five parts, O(provisioning), O(programs), O(rollout), O(security_keys) and O(enrollment). Those that are given are done in
    this order. After an error the later ones are not done; the error says what was done before it.
  - When users become members of O(group), or PAM or sshd change, the controller makes a B(new) login to the host, which confirms that
    part before the next one begins. If the login fails, the part is rolled back and the later ones are not done.
options:
  provisioning:
    description: The users and their keys, as for M(fleetmfa.ssh.totp_key). What is not explained here is explained there.
    type: dict
    suboptions:
      keys:
        description: The users and the desired state of their keys.
        type: list
        elements: dict
        default: []
        suboptions:
          user:
            description: Name of an account on this host.
            type: str
            required: true
          device:
            description: The name of a second device that this entry is about.
            type: str
          state:
            description: V(present), V(pending), V(validated), V(rotated), V(absent) or V(promoted).
            type: str
            default: present
          secret:
            description: The secret in base32, or an otpauth URI. Without it the host generates a secret.
            type: str
          issuer:
            description: Overrides O(provisioning.issuer) for this user.
            type: str
          account:
            description: The account name shown in the authenticator app.
            type: str
          recovery_codes:
            description: Recovery codes for a new key, used instead of generated ones.
            type: list
            elements: str
      users:
        description: More users, with O(provisioning.keys[].state=present); V(%admins) means the members of group C(admins).
        type: list
        elements: str
        default: []
      unknown_users:
        description: What to do about a user without an account on this host, V(error) or V(skip).
        type: str
        default: error
      human_accounts:
        description: Whether to also manage every human account on this host that is neither named nor exempt.
        type: bool
        default: false
      factors:
        description: The factors that an enforced user will need, V(publickey+totp), V(password+totp) or V(either).
        type: str
      other_members:
        description: What to do about members of O(group) who are not named here and have no usable key, V(error) or V(report).
        type: str
        default: error
      issuer:
        description: The issuer of the keys.
        type: str
      digits:
        description: Number of digits of a token. Must be 6.
        type: int
        default: 6
      period:
        description: Length of a time step in seconds, 1 to 60.
        type: int
      window:
        description: How many time steps around the current one the PAM module accepts, 1 to 100.
        type: int
      rate_limit_attempts:
        description: How many logins the PAM module accepts within O(provisioning.rate_limit_seconds), 1 to 100.
        type: int
      rate_limit_seconds:
        description: The interval in seconds that O(provisioning.rate_limit_attempts) applies to, 1 to 3600.
        type: int
      recovery_code_count:
        description: Number of recovery codes generated with a new key, 0 to 100.
        type: int
        default: 5
      security_key_users:
        description:
          - The users of O(security_keys). Of the members of group C(mfa-security-key) only these are exempt, so that others with a
            validated key are asked for a token before they leave that group.
          - Whoever of these is a member of O(group), and not yet of that one, stays a member here.
          - If not given, all members of that group are exempt.
        type: list
        elements: str
  programs:
    description: The programs that lines of PAM run. They are there before the lines.
    type: dict
    suboptions:
      files: &files
        description: The files, as for M(fleetmfa.ssh.host_files), all or none. What is not explained here is explained there.
        type: list
        elements: dict
        required: true
        suboptions:
          path:
            description: Absolute path of the file. If it is a symbolic link, the module fails.
            type: path
            required: true
          content:
            description: Content of the file.
            type: str
            required: true
          encoding:
            description: Encoding of the content; use V(base64) for files that are not text.
            type: str
            choices: [text, base64]
            default: text
          mode:
            description: Permissions, in octal.
            type: str
            default: "0644"
          block:
            description: Whether the content is a marked block at the top of a file that is managed by somebody else.
            type: bool
            default: false
          only_beside:
            description: Write the file only if this path exists, and remove it otherwise.
            type: path
          state:
            description: With V(absent) this file is removed.
            type: str
            choices: [present, absent]
            default: present
          restart:
            description: Whether a change of this file restarts the units of this part.
            type: bool
            default: false
  rollout:
    description: PAM and sshd, as for M(fleetmfa.ssh.totp_rollout). What is not explained here is explained there.
    type: dict
    suboptions:
      pam:
        description: The PAM services to change.
        type: list
        elements: dict
        default: []
        suboptions:
          service:
            description: Name of the PAM service.
            type: str
            required: true
          state:
            description: V(absent) removes our lines from this service.
            type: str
            choices: [present, absent]
            default: present
          content:
            description: The C(auth) lines; with O(rollout.pam[].own_service=true) the whole service.
            type: str
          own_service:
            description: Whether this is a separate service that only enforced users are sent to (C(PAMServiceName)).
            type: bool
            default: false
          base_service:
            description: With O(rollout.pam[].own_service=true), the service that these users would be sent to without it.
            type: str
            default: sshd
          guard:
            description: Path of the exactly-once guard.
            type: path
          token_alone:
            description: Whether this service may ask for a token only, because sshd has already checked a key.
            type: bool
            default: true
          require_installed:
            description: Whether every module named in O(rollout.pam[].content) must be installed and accept its options.
            type: bool
            default: true
          after_password:
            description: Whether this is another door than sshd, which asks for the token after the password.
            type: bool
            default: false
          asks_again:
            description: With O(rollout.pam[].after_password=true), whether you have tried that the program shows a second prompt.
            type: bool
            default: false
          remember_seconds:
            description: For how many seconds a token may be remembered, 0 to 43200, as for M(fleetmfa.ssh.totp_rollout). V(0) is never.
            type: int
            default: 0
          confdir:
            description: Folder of the PAM services.
            type: path
            default: /etc/pam.d
      account_check:
        description: Lines in PAM's account phase that deny any login of an enforced account in which no token was given.
        type: dict
        suboptions:
          state:
            description: With V(present) the lines are added, with V(absent) removed.
            type: str
            choices: [present, absent]
            default: present
          services:
            description: The PAM services that sshd uses. Required with O(rollout.account_check.state=present).
            type: list
            elements: str
          guard:
            description: Path of the exactly-once guard. Required with O(rollout.account_check.state=present).
            type: path
          confdir:
            description: Folder of the PAM services.
            type: path
            default: /etc/pam.d
      sshd:
        description: The sshd policy. Without it sshd is neither changed nor reloaded.
        type: dict
        suboptions:
          state:
            description: V(absent) removes our policy from sshd.
            type: str
            choices: [present, absent]
            default: present
          content:
            description: The complete content of the drop-in. Required unless the policy is removed.
            type: str
          dropin:
            description: Path of the drop-in. Its name must sort before all others.
            type: path
            default: /etc/ssh/sshd_config.d/00-fleetmfa.conf
          config:
            description: Path of sshd's main configuration file.
            type: path
            default: /etc/ssh/sshd_config
          binary:
            description: Path of the sshd binary that checks the configuration.
            type: path
          overdue_group:
            description: The group of users whose enrollment is overdue.
            type: str
          accept_findings:
            description: Findings that do not stop the change. Accepting one means accepting that the token can be bypassed that way.
            type: list
            elements: str
            choices: [sshd_second_daemon]
            default: []
  security_keys:
    description:
      - Users who log in with a security key (FIDO2) and its PIN or fingerprint instead of a token. Those that this host has get a file with
        their public keys in C(/etc/fleetmfa/security_keys), become members of group C(mfa-security-key), and leave O(group).
      - O(rollout.sshd.content) must demand such a key from members of that group who are not members of O(group). Nobody joins it unless
        sshd is proven to do so.
      - Everybody else leaves the group.
    type: dict
    suboptions:
      state:
        description: With V(absent), for the removal of everything, users leave the group though nobody is asked for a token afterwards.
        type: str
        choices: [present, absent]
        default: present
      users:
        description: The users and their public keys. Names without an account on this host are left out.
        type: list
        elements: dict
        default: []
        suboptions:
          user:
            description: Name of the user. Not the account that the task connects with, unless it is a member already.
            type: str
            required: true
          keys:
            description: Public keys of security keys, one a line, without options.
            type: list
            elements: str
            required: true
  enrollment:
    description: What users enroll with.
    type: dict
    suboptions:
      files: *files
      units:
        description: Units of systemd that are enabled and started after the files are written.
        type: list
        elements: str
        default: []
      overdue_group:
        description: A group that is made before the files are written, if it is missing; of users whose enrollment is overdue.
        type: str
      deadline_program:
        description:
          - Path of C(mfa-enroll-service). When a file has changed, it is run with argument C(deadline) at the end, so that a changed
            policy counts for overdue users at once and not from the next night on.
        type: path
      only_if_exists:
        description: Leave the whole part out on a host that does not have this path.
        type: path
  confirm_without_login:
    description:
      - Whether O(rollout) may be confirmed over a connection that is not a login (C(local), C(docker), C(podman), C(chroot)).
      - With V(true) nothing proves that anybody can still log in through SSH. Ignored for connections through SSH.
    type: bool
    default: false
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
  - ansible.builtin.action_common_attributes.flow
  - fleetmfa.ssh.attributes
  - fleetmfa.ssh.mfa_host
  - fleetmfa.ssh.confirmed
attributes:
  check_mode:
    support: full
    details: Plans and checks everything, but changes nothing and makes no new login.
  diff_mode:
    support: partial
    details: That of each part, one after the other; of O(programs) and O(enrollment) as of M(fleetmfa.ssh.host_files). Never a secret.
  idempotent:
    support: partial
    details: As M(fleetmfa.ssh.totp_key), which makes a new key every time with O(provisioning.keys[].state=rotated) and no secret.
  platform:
    platforms: linux
    support: full
    details: Linux-PAM and OpenSSH 8.2 or later. Needs root.
seealso:
  - module: fleetmfa.ssh.totp_key
  - module: fleetmfa.ssh.host_files
  - module: fleetmfa.ssh.totp_rollout
"""

EXAMPLES = r"""
- name: Provision keys, then ask members of mfa-enforced for a token after their SSH key
  fleetmfa.ssh.totp_host:
    exempt_users: [ansible]
    provisioning:
      human_accounts: true
      issuer: Example Corp
    rollout:
      pam:
        - service: sshd
          content: |
            auth  [success=ignore ignore=ignore auth_err=2 default=die]  pam_succeed_if.so quiet user ingroup mfa-enforced
            auth  requisite   pam_google_authenticator.so secret=/var/lib/fleetmfa/keys/${USER} user=root noskewadj
            auth  sufficient  pam_succeed_if.so quiet user ingroup mfa-enforced
      sshd:
        content: |
          Match Group mfa-enforced
              KbdInteractiveAuthentication yes
              AuthenticationMethods publickey,keyboard-interactive:pam
"""

RETURN = r"""
provisioning:
  description: What M(fleetmfa.ssh.totp_key) returns.
  returned: if the part was done
  type: dict
  sample: {changed: true, users: [{user: alice, state: pending}]}
programs:
  description: What M(fleetmfa.ssh.host_files) returns.
  returned: if the part was done
  type: dict
  sample: {changed: false, paths: [], units: []}
rollout:
  description: What M(fleetmfa.ssh.totp_rollout) returns.
  returned: if the part was done
  type: dict
  sample: {changed: true, confirmed: true, files: [/etc/pam.d/sshd]}
security_keys:
  description: Whose files were changed, and who joined and left group C(mfa-security-key), or left O(group) as such a user.
  returned: if the part was done
  type: dict
  sample: {changed: true, paths: [/etc/fleetmfa/security_keys/alice], joined: [alice], left: [], released: [alice]}
enrollment:
  description: What M(fleetmfa.ssh.host_files) returns.
  returned: if the part was done
  type: dict
  sample: {changed: true, paths: [/etc/fleetmfa/policy.conf], units: []}
rolled_back:
  description:
    - Whether the part that was not confirmed was rolled back immediately. If not, C(rollback_at) in the result of the part says when the
      host will do it.
  returned: after a change that was not confirmed
  type: bool
"""

from typing import Any

from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.root.policy import (
    with_host_first_factor,
    with_host_policy,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.connected_module import ConnectedModule
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.host_parts import TOTP_HOST_SPEC, HostCall, PartsRun
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.parts import PARTS
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.root import require_root


def main() -> None:
    module = ConnectedModule(TOTP_HOST_SPEC, supports_check_mode=True, required_one_of=[list(PARTS)])
    results: dict[str, dict[str, Any]] = {}
    try:
        require_root()
        call = HostCall(
            module.params,
            settled(module.params),
            module.connection,
            module.warn,
            module.no_log_values.update,
            module.check_mode,
        )
        parts = PartsRun(call, results)
        parts.run()
    except FleetMfaError as error:
        module.fail_json(msg=str(error), changed=error.changed, **told(results, module._diff))
    changed = any(result["changed"] for result in results.values())
    module.exit_json(changed=changed, **told(results, module._diff))


def settled(params: dict[str, Any]) -> dict[str, Any]:
    """With what the host knows of options that were not given. The other parts have none, and may repair a broken policy."""
    if all(params[part] is None for part in ("provisioning", "rollout", "security_keys")):
        return params
    first_factor = with_host_first_factor(params["unknown_first_factor"])
    return {**params, **with_host_policy(params), "unknown_first_factor": first_factor}  # type: ignore[arg-type]


def told(results: dict[str, dict[str, Any]], with_diff: bool) -> dict[str, Any]:
    """The result of each part under its name, and one diff of all of them."""
    diff: list[dict[str, str]] = []
    for result in results.values():
        of_part = result.pop("diff")
        diff += of_part if isinstance(of_part, list) else [of_part]
    shown = [one for one in diff if one.get("prepared") != ""]
    return {**results, "diff": shown} if with_diff else {**results}


if __name__ == "__main__":
    main()
