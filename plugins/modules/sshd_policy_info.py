#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the fleetmfa.ssh authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: sshd_policy_info
short_description: Tell what each class of users needs to log in, and where sshd's policy lets them round the token
version_added: 0.1.0
author:
  - The fleetmfa founders (@fleetmfa)
description:
  - Asks the sshd that is installed, with C(sshd -T -C), what holds for every account with a shell. It is asked once for each class of
    users and connections that Match lines can tell apart, not once for each user.
  - Judges the answers. Enforced users (members of O(group)) have to be asked for a token and have to be able to pass; all others have to
    notice nothing. What is wrong is a finding, with the file and line that decides.
  - Reads only. The configuration is copied to a temporary folder that only root can read.
attributes:
  check_mode:
    support: full
    description: Changes nothing in either mode.
  diff_mode:
    support: none
    description: Changes nothing, so there is nothing to show.
  platform:
    platforms: linux
    support: full
    description: OpenSSH. Needs root, as C(sshd -T) does.
extends_documentation_fragment:
  - fleetmfa.ssh.connection
options:
  config:
    description:
      - Main configuration file of sshd. Another than the default is judged as if sshd ran with it.
    type: path
    default: /etc/ssh/sshd_config
  path:
    description:
      - The drop-in of M(fleetmfa.ssh.sshd_totp). RV(baseline) is what holds without it.
    type: path
    default: /etc/ssh/sshd_config.d/00-fleetmfa.conf
  sshd:
    description:
      - Path of the sshd binary. By default it is looked for where distributions install it.
    type: path
  group:
    description:
      - The enforced group. A wrong name makes every user look like one who need not be asked.
    type: str
    default: mfa-enforced
  state_dir:
    description:
      - Folder of the key files, whose state is judged for enforced users.
    type: path
    default: /var/lib/fleetmfa
  exempt_users:
    description:
      - Users who are never asked for a token. A user with a validated key who is neither exempt nor enforced is a finding, and so is one
        who is both. By default what the enrollment policy of the host says, and without one nobody.
    type: list
    elements: str
  exempt_groups:
    description:
      - Groups whose members are never asked for a token, as O(exempt_users).
    type: list
    elements: str
  assume_enforced:
    description:
      - Users to be judged as if they were members of O(group) already, for instance to see whether root could pass before it is enforced.
    type: list
    elements: str
    default: []
  enrollment:
    description:
      - Whom the end of the enrollment period may shut out, to be judged before it does. By default what the enrollment policy of the
        host says, if it has one; give it to judge a policy that is only planned.
      - Users whose sessions are confined (C(ChrootDirectory), C(PermitTTY no), C(ForceCommand), a login shell that runs no commands, keys
        with C(restrict) or C(no-pty)) cannot enroll in them. Findings RV(findings) whose id begins with C(sshd_overdue_) name them.
    type: dict
    suboptions:
      overdue:
        description:
          - What happens to users who have not validated their key when the period is over, as C(mfa_enrollment_overdue) of role
            P(fleetmfa.ssh.mfa#role).
        type: str
        choices: [allow, enroll_only, deny]
        default: allow
      users:
        description:
          - Users who get a key, besides those who have one. By default every human account of the host.
        type: list
        elements: str
      exempt_users:
        description:
          - Users who never become overdue. Users with a validated key and root do not either.
        type: list
        elements: str
        default: []
      exempt_groups:
        description:
          - Groups whose members never become overdue.
        type: list
        elements: str
        default: []
notes:
  - A second sshd is looked for among the processes and the socket units of the host, best effort. One in a container is not seen, and
    no other SSH server either.
seealso:
  - module: fleetmfa.ssh.sshd_totp
  - module: fleetmfa.ssh.pam_stack_info
"""

EXAMPLES = r"""
- name: See who is asked for a token and who is not
  fleetmfa.ssh.sshd_policy_info:
  register: policy

- name: Stop if anything critical is held against this host
  ansible.builtin.assert:
    that: policy.findings | selectattr('severity', 'eq', 'critical') | length == 0
    fail_msg: "{{ policy.findings }}"

- name: See whether root could pass if it were enforced
  fleetmfa.ssh.sshd_policy_info:
    assume_enforced: [root]
"""

RETURN = r"""
openssh_version:
  description: Version of OpenSSH, major and minor.
  returned: success
  type: list
  elements: int
  sample: [9, 2]
capabilities:
  description:
    - What this version can do. C(pam_service_name) tells whether members of a group can have a PAM service of their own (9.8 and later).
    - C(separate_challenge_response) tells whether C(ChallengeResponseAuthentication) is an option of its own (before 8.7).
  returned: success
  type: dict
  sample: {pam_service_name: false, separate_challenge_response: false}
pam_services:
  description:
    - The PAM services that sshd sends users to without our drop-in, those of users of tomorrow included. One, C(sshd), unless
      C(PAMServiceName) says something else.
    - Empty where sshd refuses its configuration.
  returned: success
  type: list
  elements: str
  sample: [sshd]
pam_rules_by_name:
  description:
    - The lines of RV(pam_services) that go by the name of the service (C(pam_time), C(pam_group), C(pam_sss) and the like), or may (it
      is assumed of a module that is not known). What their rules say of a service does not hold for users that C(PAMServiceName) sends
      to another.
  returned: success
  type: list
  elements: str
  sample: ["/etc/pam.d/common-account:25 pam_sss.so"]
baseline:
  description: The global settings without the drop-in and the Include block of M(fleetmfa.ssh.sshd_totp), keywords in lower case.
  returned: success
  type: dict
  sample: {kbdinteractiveauthentication: "no", passwordauthentication: "yes", usepam: "yes"}
classes:
  description:
    - The classes of users. C(needs) has the ways in, each a list of methods that are all needed.
    - C(verdict) is V(asked), V(not_asked), V(locked_out) or, of enforced users, V(can_bypass).
  returned: success
  type: list
  elements: dict
  sample:
    - enforced: true
      examples: [alice]
      groups: [mfa-enforced]
      methods: [keyboard-interactive, password, publickey]
      needs: [[publickey, "keyboard-interactive:pam"]]
      users: 1
      verdict: asked
findings:
  description: What is held against this host. C(id) is stable, C(severity) is V(critical), V(high), V(medium) or V(low).
  returned: success
  type: list
  elements: dict
  sample:
    - id: sshd_policy_shadowed
      severity: critical
      evidence: ["/etc/ssh/sshd_config.d/00-a.conf:2 (below `Match User alice`, line 1): authenticationmethods publickey"]
      remedy: Move the line behind the drop-in, or let sshd_totp put an Include at the head.
cannot_answer:
  description:
    - The account that this run is connected as, as the host says it, under every name that it has; a token prompt would shut it out.
    - Empty where the connection answers the prompt, or is no login.
  returned: success
  type: list
  elements: str
  sample: [deploy]
sshd_calls:
  description: How often sshd was asked.
  returned: success
  type: int
  sample: 5
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.root.policy import (
    OVERDUE_MODES,
    POLICY_PATH,
    read_policy,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.audit import Audit
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.managing_connection import (
    CONNECTION_ARGUMENTS,
    ManagingConnection,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.config import SSHD_CONFIG
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.plan import DROPIN
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.root import require_root

ENROLLMENT_OPTIONS = {
    "overdue": {"type": "str", "choices": list(OVERDUE_MODES), "default": "allow"},
    "users": {"type": "list", "elements": "str"},
    "exempt_users": {"type": "list", "elements": "str", "default": []},
    "exempt_groups": {"type": "list", "elements": "str", "default": []},
}


def enrollment_of_host() -> dict | None:
    """What this host's enrollment policy says, if it has one."""
    if not os.path.exists(POLICY_PATH):
        return None
    policy = read_policy()
    same = ("users", "exempt_users", "exempt_groups", "overdue_group")
    return {"overdue": policy.enrollment_overdue, **{name: getattr(policy, name) for name in same}}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "config": {"type": "path", "default": SSHD_CONFIG},
            "path": {"type": "path", "default": DROPIN},
            "sshd": {"type": "path"},
            "group": {"type": "str", "default": "mfa-enforced"},
            "state_dir": {"type": "path", "default": "/var/lib/fleetmfa"},
            "assume_enforced": {"type": "list", "elements": "str", "default": []},
            "exempt_users": {"type": "list", "elements": "str"},
            "exempt_groups": {"type": "list", "elements": "str"},
            "enrollment": {"type": "dict", "options": ENROLLMENT_OPTIONS},
            **CONNECTION_ARGUMENTS,
        },
        supports_check_mode=True,
    )
    try:
        require_root()
        cannot_answer = ManagingConnection.from_params(module.params).cannot_answer
        planned = module.params["enrollment"]
        said = planned is not None and None not in (module.params["exempt_users"], module.params["exempt_groups"])
        of_host = None if said else enrollment_of_host()  # not needed, it may be broken and about to be written anew
        wish = {**module.params, "enrollment": {**(planned or of_host or {}), "needed_users": cannot_answer}}
        for name in ("exempt_users", "exempt_groups"):
            if wish[name] is None:
                wish[name] = of_host[name] if of_host else []
        report = Audit(wish).report()
    except FleetMfaError as error:
        module.fail_json(msg=str(error))
    for finding in report["findings"] if planned else []:
        if finding["id"] == "sshd_overdue_not_offered":  # nothing a plan is refused for, so a run has to say it
            module.warn(f"{finding['id']}: {'; '.join(finding['evidence'])}. {finding['remedy']}")
    module.exit_json(changed=False, cannot_answer=cannot_answer, **report)


if __name__ == "__main__":
    main()
