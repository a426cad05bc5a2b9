#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the fleetmfa.ssh authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: pam_totp
short_description: Put the token lines into a PAM service, proven before they count
version_added: 0.1.0
author:
  - The fleetmfa founders (@fleetmfa)
description:
  - Puts given lines at the head of the C(auth) part of a PAM service, between two marker lines, or makes a service of its own of them.
  - Before anything is written, the whole service as it would be is proven by evaluating it as libpam does, for every result its modules
    may return. A service that lets a member of the enforced group in without a token, that can never let one in, or that asks somebody
    else, is refused with the path through the stack that shows it.
  - Taking the lines out again gives back the file byte for byte.
  - PAM reads a service at each login, so a change counts from the next login on; there is nothing to reload.
attributes:
  check_mode:
    support: full
    description: Predicts the change, and proves it, without making it.
  diff_mode:
    support: full
    description: Shows the service file before and after. It holds no secrets.
  platform:
    platforms: linux
    support: full
    description: Linux-PAM.
options:
  service:
    description:
      - Name of the PAM service, a file in O(confdir).
    type: str
    required: true
  state:
    description:
      - V(present) puts O(content) in, V(absent) takes it out (and removes a file that held nothing else).
      - After V(absent) the service asks nobody for a token.
    type: str
    choices: [present, absent]
    default: present
  content:
    description:
      - The C(auth) lines, in full, as pam.conf(5) has them; with O(own_service=true) the whole service.
      - Required with O(state=present).
    type: str
  own_service:
    description:
      - Whether O(content) is a service of its own that only enforced users are sent to (sshd's C(PAMServiceName), OpenSSH 9.8 or later).
        Every login through it then has to need a token.
      - A file of that name which this module did not write is never replaced.
    type: bool
    default: false
  base_service:
    description:
      - With O(own_service=true), the service that these users are sent to without it, whose rules have to go on holding for them.
      - The new service has to run every C(account), C(password) and C(session) line of it and nothing else, and its C(auth) lines behind
        lines of its own, which an C(include) of each type does. Otherwise it is refused.
      - A wrong name lets users in whom the rules of the right service shut out. RV(fleetmfa.ssh.sshd_policy_info#module:pam_services) tells
        the right one.
    type: str
    default: sshd
  group:
    description:
      - The enforced group, whose members have to be asked for a token. Others must not notice anything.
    type: str
    default: mfa-enforced
  guard:
    description:
      - Path of the exactly-once guard. With it a login counts as protected only if C(pam_exec) ran it with V(attempt) before the
        token and with V(claim) after it, both with success.
    type: path
  token_alone:
    description:
      - Whether a token may be all that this service asks for, because sshd has checked a key before.
      - With V(false) the service is refused if a token alone gets a member in.
    type: bool
    default: true
  require_installed:
    description:
      - Whether each module that O(content) names has to be installed and to take the options given to it.
      - Turn this off to plan for a host that gets the modules later, or for the folder of another host; a token module that is not
        there, or that is given a misspelt option, denies every member of the group.
    type: bool
    default: true
  confdir:
    description:
      - Folder of the PAM services.
    type: path
    default: /etc/pam.d
seealso:
  - module: fleetmfa.ssh.pam_stack_info
  - module: fleetmfa.ssh.totp_rollout
"""

EXAMPLES = r"""
- name: Ask members of mfa-enforced for a token after their SSH key
  fleetmfa.ssh.pam_totp:
    service: sshd
    content: |
      auth  [success=ignore ignore=ignore auth_err=2 default=die]  pam_succeed_if.so quiet user ingroup mfa-enforced
      auth  requisite   pam_google_authenticator.so secret=/var/lib/fleetmfa/keys/${USER} user=root noskewadj
      auth  sufficient  pam_succeed_if.so quiet user ingroup mfa-enforced

- name: Ask for a token on the console, before the password
  fleetmfa.ssh.pam_totp:
    service: login
    token_alone: false
    content: |
      auth  [success=ignore ignore=ignore auth_err=1 default=die]  pam_succeed_if.so quiet user ingroup mfa-enforced
      auth  requisite   pam_google_authenticator.so secret=/var/lib/fleetmfa/keys/${USER} user=root noskewadj

- name: Take the token out of sshd's PAM service again
  fleetmfa.ssh.pam_totp:
    service: sshd
    state: absent
"""

RETURN = r"""
path:
  description: The service file.
  returned: success
  type: str
  sample: /etc/pam.d/sshd
ways_in:
  description: The combinations of factors with which an enforced user passes this service.
  returned: O(state=present)
  type: list
  elements: list
  sample: [[token]]
unknown_modules:
  description: Modules of the service whose results the proof knows nothing of, and therefore assumed the worst of.
  returned: O(state=present)
  type: list
  elements: str
  sample: [pam_sss.so]
notes:
  description:
    - What is not changed and yet has to be known. Also given as warnings. So far that the host's own lines ask others than members of
      O(group) for a token, and go on to.
  returned: O(state=present)
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.plan import PAM_TOTP_SPEC, plan_pam_totp
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.files import apply_all
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.root import require_root


def main() -> None:
    module = AnsibleModule(
        argument_spec=PAM_TOTP_SPEC, required_if=[("state", "present", ["content"])], supports_check_mode=True
    )
    try:
        require_root()
        plan = plan_pam_totp(module.params)
        change = plan.change
        if not module.check_mode:
            apply_all([change])
    except FleetMfaError as error:
        module.fail_json(msg=str(error), changed=error.changed)
    result = {"changed": change.changed, "path": change.path, "diff": change.diff()}
    for note in plan.notes:
        module.warn(note)
    module.exit_json(**result, **plan.facts)


if __name__ == "__main__":
    main()
