#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the fleetmfa.ssh authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: totp_rollout
short_description: Change PAM and sshd together, so that a change that locks out undoes itself
version_added: 0.1.0
author:
  - The fleetmfa founders (@fleetmfa)
description:
  - Plans the changes of M(fleetmfa.ssh.pam_totp) and M(fleetmfa.ssh.sshd_totp) together and checks them as those do, on the whole
    configuration as it would be. A plan that is refused changes nothing.
  - Then the old files are kept, a roll-back is armed on the host, the files are changed and sshd is reloaded through its unit.
  - Then the controller opens a B(new) connection to the host with the connection plugin and the variables of the task, never a
    multiplexed one, and tells the host through it to keep the change. That login, with C(become) as the task has it, is the proof.
  - If the login fails, the old configuration is put back at once over the connection that still stands. If that fails too, or the
    controller dies, the host puts it back by itself after O(confirm_timeout), and at the next boot if it is restarted before.
    The next run says what happened.
  - The account that Ansible connects with is not let into a configuration that would ask it for a token, and a host is not left with
    nobody who can log in.
attributes:
  check_mode:
    support: full
    description: Plans and checks everything, without changing anything and without a new login.
  diff_mode:
    support: full
    description: Shows all files before and after. They hold no secrets.
  platform:
    platforms: linux
    support: full
    description: Linux-PAM and OpenSSH 8.2 or later. Needs root.
  action:
    support: full
    description: The new login is made on the controller.
extends_documentation_fragment:
  - fleetmfa.ssh.mfa_host
  - fleetmfa.ssh.connection
options:
  state:
    description:
      - V(present) puts O(pam) and O(sshd) in place, V(absent) takes all of them out.
      - After V(absent) nobody is asked for a token. The lines taken out of a file leave it byte for byte as it was.
    type: str
    choices: [present, absent]
    default: present
  pam:
    description:
      - The PAM services to change, as for M(fleetmfa.ssh.pam_totp).
      - They are changed before sshd, or, where lines are taken out, after it.
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
          - V(absent) takes our lines out of this service, while the others are put in place.
          - Without meaning with O(state=absent).
        type: str
        choices: [present, absent]
        default: present
      content:
        description:
          - The C(auth) lines; with O(pam[].own_service=true) the whole service.
          - Required unless the lines are taken out.
        type: str
      own_service:
        description: Whether O(pam[].content) is a service of its own that only enforced users are sent to (C(PAMServiceName)).
        type: bool
        default: false
      base_service:
        description:
          - With O(pam[].own_service=true), the service that these users are sent to without it, whose rules have to go on holding.
          - It is checked that sshd without us sends them there.
        type: str
        default: sshd
      guard:
        description: Path of the exactly-once guard that has to agree before and after the token.
        type: path
      token_alone:
        description:
          - Whether a token may be all that this service asks for, because sshd has checked a key before.
          - With V(true) on a service where nothing came before, the token is the only factor.
        type: bool
        default: true
      require_installed:
        description:
          - Whether each module that O(pam[].content) names has to be installed and to take the options given to it.
          - With V(false) a token module that is not there, or that is given a misspelt option, denies every member of O(group).
        type: bool
        default: true
      confdir:
        description: Folder of the PAM services.
        type: path
        default: /etc/pam.d
  account_check:
    description:
      - Lines in PAM's account phase that refuse a login of an enforced account in which no token was given, whatever let it in.
      - They are put into C(common-account) where the services include it, above the part that C(pam-auth-update) manages, else
        into each service. Without this option, and with O(state=absent), they are taken out wherever they are.
    type: dict
    suboptions:
      services:
        description: The PAM services that sshd uses, with and without us. Logins of other services are not checked.
        type: list
        elements: str
        required: true
      guard:
        description: Path of the exactly-once guard, which knows whether a token was given in a login.
        type: path
        required: true
      confdir:
        description: Folder of the PAM services.
        type: path
        default: /etc/pam.d
  sshd:
    description: sshd's policy, as for M(fleetmfa.ssh.sshd_totp). Without it sshd is neither changed nor reloaded.
    type: dict
    suboptions:
      state:
        description:
          - V(absent) takes our policy out of sshd, while O(pam) is put in place.
          - Without meaning with O(state=absent).
        type: str
        choices: [present, absent]
        default: present
      content:
        description: The drop-in in full. Required unless the policy is taken out.
        type: str
      path:
        description: The drop-in. Its name has to sort before all others.
        type: path
        default: /etc/ssh/sshd_config.d/00-fleetmfa.conf
      config:
        description: Main configuration file of sshd.
        type: path
        default: /etc/ssh/sshd_config
      sshd:
        description: Path of the sshd binary that is asked. By default it is looked for where distributions install it.
        type: path
      overdue_group:
        description:
          - A group of users whose enrollment is overdue, for whom O(sshd.content) may have a Match block of its own.
          - Everybody else has to keep the login there was, which is checked as if this group were empty.
        type: str
      accept_findings:
        description:
          - Findings that do not stop the change. V(sshd_second_daemon) is for a host with another sshd that is meant to let
            enforced users in without a token, for instance one that listens on a management network only.
          - What is accepted here is a way round the token.
        type: list
        elements: str
        choices: [sshd_second_daemon]
        default: []
  confirm_timeout:
    description:
      - Seconds, from 15 to 3600, after which the host puts the old configuration back if the new login has not confirmed the new one.
      - The longer, the longer a host may stay closed after a change that locks everybody out.
    type: int
    default: 120
  confirm_without_login:
    description:
      - Whether a change may be confirmed over a connection that is no login (C(local), C(docker), C(podman), C(chroot)).
      - With V(true) nothing proves that anybody can still log in through SSH. A roll-out that dies is still put back.
      - Without meaning for connections through SSH, which always have to prove it.
    type: bool
    default: false
  phase:
    description:
      - V(apply) is the whole roll-out. The others are what the controller does in its course.
      - V(rollback) puts the roll-out O(rollout_id) back that still waits, for an operator who does not want to wait for the time-out.
    type: str
    choices: [apply, confirm, rollback]
    default: apply
  rollout_id:
    description: Which roll-out to confirm or to put back. Made by the controller for a new one.
    type: str
notes:
  - Idempotent. What is in place is proven again in every run, but neither touched nor reloaded.
  - The roll-back needs nothing of Ansible on the host, only the Python that ran the module. It logs to syslog, facility C(authpriv), as
    C(fleetmfa-rollout).
  - Without systemd a process of its own keeps the time, and a host that is restarted in between does not put anything back before
    sshd starts. The next run does.
  - A task C(timeout) replaces the time that the new login is given, which is half of O(confirm_timeout).
  - A roll-out that another controller may still confirm is waited for, half of its O(confirm_timeout) at most. One whose controller
    has given up or died is put back before a new one is planned.
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

- name: Ask nobody any more
  fleetmfa.ssh.totp_rollout:
    state: absent
    pam:
      - service: sshd
    sshd: {}

- name: Put back a roll-out that still waits, without waiting for its time-out
  fleetmfa.ssh.totp_rollout:
    phase: rollback
    rollout_id: 5d2c9f1b7a6e4038
"""

RETURN = r"""
files:
  description: The files that are changed.
  returned: O(phase=apply)
  type: list
  elements: str
  sample: [/etc/pam.d/sshd, /etc/ssh/sshd_config.d/00-fleetmfa.conf]
pam:
  description: The PAM services of the call.
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
      returned: unless the lines are taken out
      type: list
      elements: list
      sample: [[token]]
    unknown_modules:
      description: Modules whose results the proof knows nothing of, and therefore assumed the worst of.
      returned: unless the lines are taken out
      type: list
      elements: str
    notes:
      description:
        - What is not changed and yet has to be known. Also given as warnings. So far that the host's own lines ask others than members
          of O(group) for a token, and go on to.
      returned: unless the lines are taken out
      type: list
      elements: str
confirmed:
  description: Whether the change was confirmed and stays.
  returned: after a change that was confirmed
  type: bool
rolled_back:
  description: Whether the old configuration was put back at once. If not, RV(rollback_at) says when the host does it.
  returned: after a change that was not confirmed
  type: bool
rollout_id:
  description: Names this roll-out.
  returned: after a change
  type: str
  sample: 5d2c9f1b7a6e4038
confirm_timeout:
  description: Seconds the confirmation was given.
  returned: after a change
  type: int
rollback_by:
  description: What keeps the time on the host, V(systemd) or V(process).
  returned: after a change
  type: str
rollback_at:
  description: When the host would have put the old configuration back, or will if it was not confirmed.
  returned: after a change
  type: str
  sample: "2026-01-31T12:00:00Z"
earlier_rollout:
  description: An earlier roll-out that was not confirmed, and that no run has told of yet. Also given as a warning.
  returned: O(phase=apply)
  type: dict
  contains:
    id:
      description: Its id.
      type: str
    outcome:
      description:
        - V(rolled_back) it was put back.
        - V(waiting) its files were in place when this run began, which put them back.
        - V(interrupted) it ended before it changed anything.
      type: str
    reason:
      description:
        - What put it back, V(timer), V(boot), V(request) (the controller, whose login failed), V(failure) (something went wrong while
          it was applied) or V(next_run).
      returned: if it is on record
      type: str
    controller:
      description: Whose it was, user and host name of the controller; empty if it is not on record.
      type: str
      sample: ops@controller1
    started:
      description: When it began.
      type: str
    deadline:
      description: When its time was up.
      type: str
    ended:
      description: When it was put back.
      returned: if it is on record
      type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.rollout import TOTP_ROLLOUT_SPEC, run_phase
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.root import require_root


def main() -> None:
    module = AnsibleModule(argument_spec=TOTP_ROLLOUT_SPEC, supports_check_mode=True)
    try:
        require_root()
        result = run_phase(module.params, module.check_mode, module.warn)
    except FleetMfaError as error:
        module.fail_json(msg=str(error), changed=error.changed)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
