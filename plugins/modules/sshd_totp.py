#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: sshd_totp
short_description: Require a token for a group's SSH logins, checked with sshd before it takes effect
version_added: 0.1.0
author:
  - The fleetmfa founders (@fleetmfa)
description:
  - Writes a drop-in for sshd_config(5). If the main configuration does not include it, includes it below a Match line, or sets the same
    options before it, a marked Include block is added at the top of the main file.
  - Before anything is written, the resulting configuration is staged as a whole, and the installed sshd checks it with C(sshd -t) and,
    for each class of users that Match lines can tell apart, with C(sshd -T -C). It is refused if a member of O(group) would not be
    asked for a token or could not log in, or if anything would change for anybody else.
  - Removing the policy restores the main file byte for byte.
  - Use M(fleetmfa.ssh.totp_rollout) to change PAM and sshd together, with a new login to confirm the change and an automatic roll-back.
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
  - fleetmfa.ssh.attributes
attributes:
  check_mode:
    support: full
    details: Plans the change and checks it with sshd, but does not make it.
  diff_mode:
    support: full
    details: Shows the files before and after. They hold no secrets.
  idempotent:
    support: full
    details: The policy is checked in every run, even if nothing has to be changed.
  platform:
    platforms: linux
    support: full
    details: OpenSSH 8.2 or later. Needs root.
options:
  state:
    description:
      - V(present) puts O(content) in place, V(absent) removes it and the Include block.
      - After V(absent) sshd no longer asks anybody for a token.
    type: str
    choices: [present, absent]
    default: present
  content:
    description:
      - The complete content of the drop-in. It must set C(AuthenticationMethods) below a C(Match Group) line for O(group).
      - Required with O(state=present).
    type: str
  dropin:
    description:
      - Path of the drop-in. sshd uses the first value it reads, so the name must sort before all others.
    type: path
    default: /etc/ssh/sshd_config.d/00-fleetmfa.conf
  config:
    description:
      - Path of sshd's main configuration file.
    type: path
    default: /etc/ssh/sshd_config
  binary:
    description:
      - Path of the sshd binary that checks the configuration. By default the usual install locations are searched.
    type: path
  group:
    description:
      - The enforced group, whose members must be asked for a token. For all others nothing may change.
    type: str
    default: mfa-enforced
  overdue_group:
    description:
      - The group of users whose enrollment is overdue. O(content) may have a Match block for it.
      - For everybody else logins must stay as they were; this is checked as if the group were empty.
    type: str
  exempt_users:
    description:
      - Users who never become members of O(group), so it does not matter whether they could log in with a token.
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
        without a token, for instance one that listens only on a management network.
      - Accepting a finding means accepting that the token can be bypassed that way.
    type: list
    elements: str
    choices: [sshd_second_daemon]
    default: []
  reload:
    description:
      - Whether to reload sshd, through its unit, after a change. If it cannot be reloaded, the old files are restored.
      - With V(false) the running sshd keeps its old policy, and the new one takes effect when sshd is next reloaded.
    type: bool
    default: true
notes:
  - Root can log in with a token only with C(PermitRootLogin yes). Root is not checked if it is not a member of O(group).
  - Before OpenSSH 8.7 C(ChallengeResponseAuthentication) is a separate, global option. Turning it on is not considered a change for
    others as long as keyboard-interactive stays off for them.
seealso:
  - module: fleetmfa.ssh.sshd_policy_info
  - module: fleetmfa.ssh.pam_totp
  - module: fleetmfa.ssh.totp_rollout
"""

EXAMPLES = r"""
- name: Require a key and a token from members of mfa-enforced
  fleetmfa.ssh.sshd_totp:
    content: |
      Match Group mfa-enforced
          KbdInteractiveAuthentication yes
          AuthenticationMethods publickey,keyboard-interactive:pam
    exempt_users: [ansible]

- name: Remove the policy from sshd
  fleetmfa.ssh.sshd_totp:
    state: absent
"""

RETURN = r"""
paths:
  description: The changed files.
  returned: success
  type: list
  elements: str
  sample: [/etc/ssh/sshd_config.d/00-fleetmfa.conf]
reloaded:
  description: Whether sshd was reloaded. If a socket starts it for each connection, no reload is needed.
  returned: success
  type: bool
  sample: true
reload_needed:
  description: Whether files were changed but sshd was not reloaded (with O(reload=false), and in check mode).
  returned: success
  type: bool
  sample: false
sshd_calls:
  description: How often sshd was called to check the configuration.
  returned: success
  type: int
  sample: 9
findings:
  description: Why the policy was refused, as in M(fleetmfa.ssh.sshd_policy_info).
  returned: if it was refused
  type: list
  elements: dict
"""

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._findings import FindingsError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._module import Module
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.pam_service import rules_kept
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.plan import (
    SSHD_TOTP_SPEC,
    Surroundings,
    plan_sshd_totp,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.reload import apply_and_reload
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.root import require_root


def main() -> None:
    module = Module(
        argument_spec={**SSHD_TOTP_SPEC, "reload": {"type": "bool", "default": True}},
        required_if=[("state", "present", ["content"])],
        supports_check_mode=True,
    )
    reloaded = False
    try:
        require_root()
        changes, sshd = plan_sshd_totp(module.params, Surroundings(pam=rules_kept))
        changed = [change for change in changes if change.changed]
        if changed and not module.check_mode:
            reloaded = apply_and_reload(changed, module.params["config"], sshd.binary, module.params["reload"])
    except FindingsError as error:
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
