#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the fleetmfa.ssh authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: sshd_totp
short_description: Put the token policy for a group into sshd, asked of sshd before it counts
version_added: 0.1.0
author:
  - The fleetmfa founders (@fleetmfa)
description:
  - Writes a drop-in of sshd_config(5). Where the main configuration does not read it, reads it below a Match line, or reads something
    before it that sets the same, one marked Include block is put at the head of the main file.
  - Before anything is written, the whole configuration as it would be is staged, and the sshd that is installed is asked about it with
    C(sshd -t) and, for each class of users that Match lines can tell apart, with C(sshd -T -C). It is refused if a member of O(group)
    would not be asked for a token or could not get in, or if anything would change for anybody else.
  - Taking it out again gives back the main file byte for byte.
  - Use M(fleetmfa.ssh.totp_rollout) to change PAM and sshd together, with a new login before it counts and a way back.
attributes:
  check_mode:
    support: full
    description: Predicts the change, and checks it with sshd, without making it.
  diff_mode:
    support: full
    description: Shows the files before and after. They hold no secrets.
  platform:
    platforms: linux
    support: full
    description: OpenSSH 8.2 or later. Needs root.
options:
  state:
    description:
      - V(present) puts O(content) in place, V(absent) removes it and the Include block.
      - After V(absent) sshd asks nobody for a token any more.
    type: str
    choices: [present, absent]
    default: present
  content:
    description:
      - The drop-in in full. It has to set C(AuthenticationMethods) below C(Match Group) with the name of O(group).
      - Required with O(state=present).
    type: str
  path:
    description:
      - The drop-in. sshd takes the first value it reads, so the name has to sort before all others.
    type: path
    default: /etc/ssh/sshd_config.d/00-fleetmfa.conf
  config:
    description:
      - Main configuration file of sshd.
    type: path
    default: /etc/ssh/sshd_config
  sshd:
    description:
      - Path of the sshd binary that is asked. By default it is looked for where distributions install it.
    type: path
  group:
    description:
      - The enforced group, whose members have to be asked for a token. For all others nothing may change.
    type: str
    default: mfa-enforced
  overdue_group:
    description:
      - A group of users whose enrollment is overdue, for whom O(content) may have a Match block of its own.
      - Everybody else has to keep the login there was, which is checked as if this group were empty.
    type: str
  exempt_users:
    description:
      - Users who never become members of O(group), so that it does not matter whether they could pass.
    type: list
    elements: str
    default: []
  exempt_groups:
    description:
      - Groups whose members never become members of O(group).
    type: list
    elements: str
    default: []
  accept_findings:
    description:
      - Findings that do not stop the change. V(sshd_second_daemon) is for a host with another sshd that is meant to let enforced users in
        without a token, for instance one that listens on a management network only.
      - What is accepted here is a way round the token.
    type: list
    elements: str
    choices: [sshd_second_daemon]
    default: []
  reload:
    description:
      - Whether sshd is reloaded, through its unit, when something was changed. If it cannot be reloaded, the old files are put back.
      - With V(false) the running sshd goes on as before, and the new policy is in force when something else reloads it.
    type: bool
    default: true
notes:
  - Idempotent. The policy is checked in every run, also when nothing has to be changed.
  - Root can pass only under C(PermitRootLogin yes). Root that is no member of O(group) is not checked.
  - Before OpenSSH 8.7 C(ChallengeResponseAuthentication) is a global option of its own. Turning it on does not count as a change for
    others as long as keyboard-interactive stays off for them.
seealso:
  - module: fleetmfa.ssh.sshd_policy_info
  - module: fleetmfa.ssh.pam_totp
  - module: fleetmfa.ssh.totp_rollout
"""

EXAMPLES = r"""
- name: Demand a key and a token from members of mfa-enforced
  fleetmfa.ssh.sshd_totp:
    content: |
      Match Group mfa-enforced
          KbdInteractiveAuthentication yes
          AuthenticationMethods publickey,keyboard-interactive:pam
    exempt_users: [ansible]

- name: Take the policy out of sshd again
  fleetmfa.ssh.sshd_totp:
    state: absent
"""

RETURN = r"""
paths:
  description: The files that are changed.
  returned: success
  type: list
  elements: str
  sample: [/etc/ssh/sshd_config.d/00-fleetmfa.conf]
reloaded:
  description: Whether sshd was reloaded. It need not be where a socket starts it for each connection.
  returned: success
  type: bool
  sample: true
reload_needed:
  description: Whether files were changed without sshd being told (O(reload=false) and in check mode).
  returned: success
  type: bool
  sample: false
sshd_calls:
  description: How often sshd was asked about the configuration.
  returned: success
  type: int
  sample: 9
findings:
  description: Why the policy was refused, as in M(fleetmfa.ssh.sshd_policy_info).
  returned: when it was refused
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.pam_service import rules_kept
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.findings import SshdFindingsError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.plan import SSHD_TOTP_SPEC, Host, plan_sshd_totp
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.reload import apply_and_reload
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.root import require_root


def main() -> None:
    module = AnsibleModule(
        argument_spec={**SSHD_TOTP_SPEC, "reload": {"type": "bool", "default": True}},
        required_if=[("state", "present", ["content"])],
        supports_check_mode=True,
    )
    reloaded = False
    try:
        require_root()
        changes, sshd = plan_sshd_totp(module.params, Host(pam=rules_kept))
        changed = [change for change in changes if change.changed]
        if changed and not module.check_mode:
            reloaded = apply_and_reload(changed, module.params["config"], sshd.binary, module.params["reload"])
    except SshdFindingsError as error:
        module.fail_json(
            msg=str(error), changed=error.changed, findings=[finding.as_dict() for finding in error.findings]
        )
    except FleetMfaError as error:
        module.fail_json(msg=str(error), changed=error.changed)
    module.exit_json(
        changed=bool(changed),
        paths=[change.path for change in changed],
        reloaded=reloaded,
        reload_needed=bool(changed) and (module.check_mode or not module.params["reload"]),
        sshd_calls=sshd.calls,
        diff=[change.diff() for change in changed],
    )


if __name__ == "__main__":
    main()
