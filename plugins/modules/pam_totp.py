#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: pam_totp
short_description: Add a token check to a PAM service, proven to work before it takes effect
version_added: 0.1.0
author:
  - The fleetmfa founders (@fleetmfa)
description:
  - Puts the given lines, between two marker lines, at the start of the C(auth) part of a PAM service, or makes them a separate service.
  - Before anything is written, the resulting service is evaluated as libpam would, for every result that its modules may return. It is
    refused if it lets a member of the enforced group in without a token, can never let a member in, or asks anybody else for a token.
    The error shows the path through the stack.
  - Removing the lines restores the file byte for byte.
  - PAM reads a service at each login, so a change takes effect at the next login; nothing has to be reloaded.
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
  - fleetmfa.ssh.attributes
attributes:
  check_mode:
    support: full
    details: Plans the change and proves that it works, but does not make it.
  diff_mode:
    support: full
    details: Shows the service file before and after. It holds no secrets.
  idempotent:
    support: full
  platform:
    platforms: linux
    support: full
    details: Linux-PAM.
options:
  service:
    description:
      - Name of the PAM service, a file in O(confdir).
    type: str
    required: true
  state:
    description:
      - V(present) adds O(content), V(absent) removes it (and also the file if it contained nothing else).
      - After V(absent) the service asks nobody for a token.
    type: str
    choices: [present, absent]
    default: present
  content:
    description:
      - The complete C(auth) lines, in the format of pam.conf(5); with O(own_service=true) the whole service.
      - Required with O(state=present).
    type: str
  own_service:
    description:
      - Whether O(content) is a separate service that only enforced users are sent to (sshd's C(PAMServiceName), OpenSSH 9.8 or later).
        Every login through it must then require a token.
      - An existing file of that name that this module did not write is never replaced.
    type: bool
    default: false
  base_service:
    description:
      - With O(own_service=true), the service that these users would be sent to without it. Its rules must remain in force for them.
      - The new service must run exactly the same C(account), C(password) and C(session) lines, and the same C(auth) lines after its own.
        An C(include) of each type does this. Otherwise it is refused.
      - With a wrong name, users may get in whom the rules of the right service would deny. The right name is in
        RV(fleetmfa.ssh.sshd_policy_info#module:pam_services).
    type: str
    default: sshd
  group:
    description:
      - The enforced group, whose members must be asked for a token. Nothing may change for others.
    type: str
    default: mfa-enforced
  guard:
    description:
      - Path of the exactly-once guard. If set, a service is accepted only if every login through it runs the guard with C(pam_exec),
        with V(attempt) before the token and V(claim) after it, and both calls succeed.
    type: path
  token_alone:
    description:
      - Whether this service may ask for a token only, because sshd has already checked a key.
      - With V(false) the service is refused if a token alone gets a member in.
    type: bool
    default: true
  require_installed:
    description:
      - Whether every module named in O(content) must be installed and accept the options given to it.
      - Turn this off to plan for a host on which the modules will be installed later, or for the folder of another host. A missing
        token module, or a misspelled option of it, denies every member of the group.
    type: bool
    default: true
  after_password:
    description:
      - Whether this is not a service of sshd but another door, such as C(login), C(su) or C(sudo), which asks for the token after the
        password.
      - O(content) is put after the line of the C(auth) part at which only who has given the password is asked; without such a place the
        service is refused. If it includes another service that has these lines, it gets none of its own.
      - In services such as C(su), which run with their caller's user id, that user can send signals to the programs that lines run, unless
        the lines have C(seteuid).
    type: bool
    default: false
  asks_again:
    description:
      - With O(after_password=true), whether you have tried that the service's program shows a second prompt. Required unless that is known
        here, as of C(login), C(su), C(su-l), C(sudo), C(sudo-i), C(gdm-password) and C(cockpit).
      - With a wrong V(true), members of the group are denied there.
    type: bool
    default: false
  remember_seconds:
    description:
      - For how many seconds a token may be remembered, 0 to 43200. V(0) is never. Requires O(guard).
      - Only with this number is one line accepted in O(content) that runs O(guard) with C(remembered) and the same number, and lets a
        member in without a token if it succeeds. C(totp-guard) of role P(fleetmfa.ssh.mfa#role) does so only after a token of the same
        user, with the same SSH key and from the same address.
    type: int
    default: 0
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

- name: Ask for a token on the console, after the password
  fleetmfa.ssh.pam_totp:
    service: login
    after_password: true
    content: |
      auth  [success=ignore ignore=ignore auth_err=1 default=die]  pam_succeed_if.so quiet user ingroup mfa-enforced
      auth  requisite   pam_google_authenticator.so secret=/var/lib/fleetmfa/keys/${USER} user=root noskewadj

- name: Remove the token check from sshd's PAM service
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
  description: Modules of the service that are not known, so that the check assumes the worst of them.
  returned: O(state=present)
  type: list
  elements: str
  sample: [pam_sss.so]
notes:
  description:
    - Things that are left unchanged but that the operator should know. Also given as warnings. Currently only that the host's own lines
      ask users outside O(group) for a token, and will continue to do so.
  returned: O(state=present)
  type: list
  elements: str
"""

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._module import Module
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.plan import PAM_TOTP_SPEC, plan_pam_totp
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.files import apply_all
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.root import require_root


def main() -> None:
    module = Module(
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
