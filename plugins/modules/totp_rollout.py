#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: totp_rollout
short_description: Change PAM and sshd together, with an automatic roll-back if nobody can log in afterwards
version_added: 0.1.0
author:
  - The fleetmfa founders (@fleetmfa)
description:
  - Plans the changes of M(fleetmfa.ssh.pam_totp) and M(fleetmfa.ssh.sshd_totp) together and checks the resulting configuration as a
    whole, as those modules do. If the plan is refused, nothing is changed.
  - Otherwise the old files are saved, a roll-back is armed on the host, the files are changed, and sshd is reloaded through its unit.
  - The controller then opens a B(new) connection to the host, never a multiplexed one, with the connection plugin and the variables
    of the task, and confirms the change through it. That login, with C(become) as set for the task, proves that the host can still
    be reached.
  - If the login fails, the old configuration is restored immediately over the existing connection. If that fails too, or the
    controller dies, the host restores it by itself after O(confirm_timeout), or at the next boot if it is restarted before that.
    The next run reports what happened.
  - Refuses a change that would ask the account that Ansible connects with for a token, or that would leave nobody able to log in.
attributes:
  action:
    support: full
    details: The new login is made on the controller.
  async:
    support: none
  bypass_host_loop:
    support: none
  check_mode:
    support: full
    details: Plans and checks everything, but changes nothing and makes no new login.
  diff_mode:
    support: full
    details: Shows all files before and after. They hold no secrets.
  idempotent:
    support: full
    details: If everything is already in place, it is checked again but not changed or reloaded.
  platform:
    platforms: linux
    support: full
    details: Linux-PAM and OpenSSH 8.2 or later. Needs root.
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
  - ansible.builtin.action_common_attributes.flow
  - fleetmfa.ssh.attributes
  - fleetmfa.ssh.mfa_host
options:
  state:
    description:
      - V(present) puts O(pam) and O(sshd) in place, V(absent) removes all of them.
      - V(absent) also removes lines of role C(fleetmfa.ssh.mfa) from PAM services that O(pam) does not name.
      - After V(absent) nobody is asked for a token. Removing the lines leaves a file byte for byte as it was before.
    type: str
    choices: [present, absent]
    default: present
  pam:
    description:
      - The PAM services to change, as for M(fleetmfa.ssh.pam_totp).
      - They are changed before sshd, or after it if lines are removed.
    type: list
    elements: dict
    default: []
    suboptions:
      service:
        description: Name of the PAM service.
        type: str
        required: true
      state:
        description:
          - V(absent) removes our lines from this service, while the other services get theirs.
          - Ignored with O(state=absent).
        type: str
        choices: [present, absent]
        default: present
      content:
        description:
          - The C(auth) lines; with O(pam[].own_service=true) the whole service.
          - Required unless the lines are removed.
        type: str
      own_service:
        description: Whether O(pam[].content) is a separate service that only enforced users are sent to (C(PAMServiceName)).
        type: bool
        default: false
      base_service:
        description:
          - With O(pam[].own_service=true), the service that these users would be sent to without it. Its rules must remain in force.
          - The module checks that sshd, without our policy, really sends them there.
        type: str
        default: sshd
      guard:
        description: Path of the exactly-once guard, which must succeed before and after the token.
        type: path
      token_alone:
        description:
          - Whether this service may ask for a token only, because sshd has already checked a key.
          - With V(true) on a service without such an earlier check, the token is the only factor.
        type: bool
        default: true
      require_installed:
        description:
          - Whether every module named in O(pam[].content) must be installed and accept the options given to it.
          - With V(false), a missing token module or a misspelled option of it denies every member of O(group).
        type: bool
        default: true
      after_password:
        description:
          - Whether this is not a service of sshd but another door, such as C(login), C(su) or C(sudo), which asks for the token after the
            password. O(pam[].content) is put after the line of its C(auth) part at which only who has given the password is asked; without
            such a place the service is refused. A service that includes another one of O(pam) gets no lines of its own.
          - These services are changed last. With C(login) among them, root or an exempt account must be able to log in at the console with
            a password and without a token.
        type: bool
        default: false
      asks_again:
        description:
          - With O(pam[].after_password=true), whether you have tried that the service's program shows a second prompt. Required unless that
            is known here, as of C(login), C(su), C(su-l), C(sudo), C(sudo-i), C(gdm-password) and C(cockpit).
          - With a wrong V(true), enforced users are denied there.
        type: bool
        default: false
      remember_seconds:
        description:
          - For how many seconds a token may be remembered, 0 to 43200. V(0) is never. Requires O(pam[].guard).
          - Only with this number is one line accepted in O(pam[].content) that runs the guard with C(remembered) and the same number, and
            lets enforced users in without a token if it succeeds.
        type: int
        default: 0
      confdir:
        description: Folder of the PAM services.
        type: path
        default: /etc/pam.d
  account_check:
    description:
      - Lines in PAM's account phase that deny any login of an enforced account in which no token was given, no matter how the
        login got that far.
      - They are added to C(common-account) if the services include it, above the part that C(pam-auth-update) manages, and
        otherwise to each service. Without this option they are left as they are. With O(account_check.state=absent), and with
        O(state=absent), they are removed wherever they are found.
    type: dict
    suboptions:
      state:
        description:
          - With V(present) the lines are added, with V(absent) removed.
          - Ignored with O(state=absent).
        type: str
        choices: [present, absent]
        default: present
      services:
        description:
          - The PAM services that sshd uses, with and without our policy. Logins through other services are not checked.
          - Required with O(account_check.state=present).
        type: list
        elements: str
      guard:
        description:
          - Path of the exactly-once guard, which knows whether a token was given in the current login.
          - Required with O(account_check.state=present).
        type: path
      confdir:
        description: Folder of the PAM services.
        type: path
        default: /etc/pam.d
  sshd:
    description: The sshd policy, as for M(fleetmfa.ssh.sshd_totp). Without it sshd is neither changed nor reloaded.
    type: dict
    suboptions:
      state:
        description:
          - V(absent) removes our policy from sshd, while O(pam) is put in place.
          - Ignored with O(state=absent).
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
        description: Path of the sshd binary that checks the configuration. By default the usual install locations are searched.
        type: path
      overdue_group:
        description:
          - The group of users whose enrollment is overdue. O(sshd.content) may have a Match block for it.
          - For everybody else logins must stay as they were; this is checked as if the group were empty.
        type: str
      accept_findings:
        description:
          - Findings that do not stop the change. V(sshd_second_daemon) is for a host with another sshd that is meant to let
            enforced users in without a token, for instance one that listens only on a management network.
          - Accepting a finding means accepting that the token can be bypassed that way.
        type: list
        elements: str
        choices: [sshd_second_daemon]
        default: []
  confirm_timeout:
    description:
      - Seconds, 15 to 3600, after which the host restores the old configuration unless a new login has confirmed the new one.
      - This is also how long a host may stay unreachable after a change that locks everybody out.
    type: int
    default: 120
  unknown_first_factor:
    description:
      - A change is refused if a user who is enforced could no longer log in after it, because the factor that goes with the token
        is another one now, which the user lacks. The error names these users. Users who lack it already are only a finding of
        M(fleetmfa.ssh.sshd_policy_info).
      - With V(error) a change is refused too if the host cannot tell any more whether the user has the factor (a certificate, a
        password in a directory). With V(accept) it is made. If they have no such factor, V(accept) locks them out.
      - Without it, the value in the host's enrollment policy (C(/etc/fleetmfa/policy.conf)), V(error) if the host has no policy.
    type: str
  confirm_without_login:
    description:
      - Whether a change may be confirmed over a connection that is not a login (C(local), C(docker), C(podman), C(chroot)).
      - With V(true) nothing proves that anybody can still log in through SSH. A roll-out that dies is still rolled back.
      - Ignored for connections through SSH, which always require the new login.
    type: bool
    default: false
  phase:
    description:
      - V(apply) is the whole roll-out. The controller uses the other phases in the course of it.
      - V(rollback) rolls back O(rollout_id) if it is still unconfirmed, for an operator who does not want to wait for the timeout.
    type: str
    choices: [apply, confirm, rollback]
    default: apply
  rollout_id:
    description: The roll-out to confirm or roll back. The controller generates the id of a new one.
    type: str
notes:
  - The roll-back needs only the Python that ran the module, and nothing of Ansible. It logs to syslog, facility C(authpriv), as
    C(fleetmfa-rollout).
  - Without systemd, a background process serves as the timer. If such a host is restarted before the change is confirmed, nothing
    is restored before sshd starts; the next run restores it.
  - The new login may take half of O(confirm_timeout); a C(timeout) of the task replaces this limit.
  - If another controller may still confirm its roll-out, the module waits for it, at most half of that roll-out's
    O(confirm_timeout). A roll-out whose controller has given up or died is rolled back before a new one is planned.
seealso:
  - module: fleetmfa.ssh.pam_totp
  - module: fleetmfa.ssh.sshd_totp
"""

EXAMPLES = r"""
- name: Ask members of mfa-enforced for a token after their SSH key
  fleetmfa.ssh.totp_rollout:
    exempt_users: [ansible]
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

- name: Stop asking for tokens
  fleetmfa.ssh.totp_rollout:
    state: absent
    pam:
      - service: sshd
    sshd: {}

- name: Roll back an unconfirmed roll-out without waiting for its timeout
  fleetmfa.ssh.totp_rollout:
    phase: rollback
    rollout_id: 5d2c9f1b7a6e4038
"""

RETURN = r"""
files:
  description: The changed files.
  returned: O(phase=apply)
  type: list
  elements: str
  sample: [/etc/pam.d/sshd, /etc/ssh/sshd_config.d/00-fleetmfa.conf]
pam:
  description: The PAM services in the call.
  returned: O(phase=apply)
  type: list
  elements: dict
  contains:
    service:
      description: Name of the service.
      type: str
    path:
      description: Its file.
      type: str
    ways_in:
      description: The combinations of factors with which an enforced user passes it.
      returned: unless the lines are removed
      type: list
      elements: list
      sample: [[token]]
    unknown_modules:
      description: Modules that are not known, so that the check assumes the worst of them.
      returned: unless the lines are removed
      type: list
      elements: str
    notes:
      description:
        - Things that are left unchanged but that the operator should know. Also given as warnings. Currently only that the host's own
          lines ask users outside O(group) for a token, and will continue to do so.
      returned: unless the lines are removed
      type: list
      elements: str
confirmed:
  description: Whether the change was confirmed and is kept.
  returned: after a change that was confirmed
  type: bool
rolled_back:
  description: Whether the old configuration was restored immediately. If not, RV(rollback_at) says when the host will do it.
  returned: after a change that was not confirmed
  type: bool
rollout_id:
  description: Id of this roll-out.
  returned: after a change
  type: str
  sample: 5d2c9f1b7a6e4038
confirm_timeout:
  description: Seconds within which the change had to be confirmed.
  returned: after a change
  type: int
rollback_by:
  description: What serves as the timer on the host, V(systemd) or V(process).
  returned: after a change
  type: str
rollback_at:
  description: When the host would have restored the old configuration, or will restore it if the change was not confirmed.
  returned: after a change
  type: str
  sample: "2026-01-31T12:00:00Z"
earlier_rollout:
  description: An earlier roll-out that was not confirmed and has not been reported yet. Also given as a warning.
  returned: O(phase=apply)
  type: dict
  contains:
    id:
      description: Its id.
      type: str
    outcome:
      description:
        - V(rolled_back) it was rolled back.
        - V(waiting) its files were still in place when this run began, and this run rolled it back.
        - V(interrupted) it ended before it changed anything.
      type: str
    reason:
      description:
        - What rolled it back, V(timer), V(boot), V(request) (the controller, because its login failed), V(failure) (an error while it
          was being applied) or V(next_run).
      returned: if recorded
      type: str
    controller:
      description: User and host name of the controller that started it; empty if not recorded.
      type: str
      sample: ops@controller1
    started:
      description: When it began.
      type: str
    deadline:
      description: When its timeout ended.
      type: str
    ended:
      description: When it was rolled back.
      returned: if recorded
      type: str
"""

from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.root.policy import (
    with_host_first_factor,
    with_host_policy,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.connected_module import ConnectedModule
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.rollout import TOTP_ROLLOUT_SPEC, Call, run_phase
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.root import require_root


def main() -> None:
    module = ConnectedModule(argument_spec=TOTP_ROLLOUT_SPEC, supports_check_mode=True)
    try:
        require_root()
        if module.params["phase"] == "apply":  # confirming and rolling back need no policy, which may be broken
            module.params.update(with_host_policy(module.params))
            module.params["unknown_first_factor"] = with_host_first_factor(module.params["unknown_first_factor"])
        result = run_phase(Call(module.params, module.connection, module.warn), module.check_mode)
    except FleetMfaError as error:
        module.fail_json(msg=str(error), changed=error.changed)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
