#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the fleetmfa.ssh authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: pam_stack_info
short_description: Prove what a PAM service can do
version_added: 0.1.0
author:
  - The fleetmfa founders (@fleetmfa)
description:
  - Reads the C(auth) stack of a PAM service, with its includes and substacks, the way libpam does, and tells what it can
    do whatever its modules return. Can it succeed at all, can it succeed without a token, is a token asked.
  - Where it can be got round, it tells how, line by line.
  - Reads only. Nothing is run, and nobody is asked anything.
options:
  service:
    description: The PAM service. If it has no file, or no C(auth) line in it, libpam takes those of C(other), and so does this.
    type: str
    default: sshd
  confdir:
    description:
      - The folder of PAM services to read. Any folder will do, so that a stack can be judged before it is installed.
      - Files that are included by name are looked for in this folder alone, and, if it is V(/etc/pam.d), in
        C(/usr/lib/pam.d) and C(/usr/etc/pam.d) after it.
      - If it is V(/etc/pam.d), a module that is not installed on this host is taken as missing. In another folder
        every module is taken as installed whose name ends in C(.so).
    type: path
    default: /etc/pam.d
  token_modules:
    description:
      - The modules that ask for the token.
      - Another module named here counts as one that asks. That it returned success counts as a proven token.
    type: list
    elements: str
    default: [pam_google_authenticator.so, pam_oath.so]
  user:
    description:
      - The user whom gates such as C(pam_succeed_if) decide on. Without O(groups), the groups this host knows of them are
        theirs.
      - Without this and without O(groups) the answers are for the worst case, in which every gate may go either way.
    type: str
  groups:
    description:
      - All groups of the user, or of the class of users, that gates decide on. It is a member of no other.
    type: list
    elements: str
  has_key:
    description:
      - Whether the user has a key. With V(false), C(nullok) turns the token off.
      - Without it both are tried.
    type: bool
  assume:
    description:
      - What-if questions. For a line, named as C(file:line), the list of results its module may return, such as
        V(success), V(auth_err) or V(ignore). The file may be a name in O(confdir) or a whole path.
    type: dict
attributes:
  check_mode:
    description: Can run in check_mode and return changed status prediction without modifying target.
    support: full
    details: Changes nothing in either mode.
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
    support: none
    details: Changes nothing, so there is no difference to show.
  platform:
    description: Target OS/families that can be operated against.
    support: full
    platforms: posix
notes:
  - Idempotent.
  - Runs anywhere, on localhost too. Where C(pam_listfile) and C(pam_access) read a file, it is the file of the machine this
    runs on.
  - It errs on the side of a way in. Two gates on the same unknown thing may answer differently, and a module it does not know
    may return anything.
seealso:
  - module: fleetmfa.ssh.pam_totp
"""

EXAMPLES = r"""
- name: Can anybody get round the token here
  fleetmfa.ssh.pam_stack_info:
  register: stack
  failed_when: stack.can_succeed_without_token

- name: Judge a stack before it is installed, for members of the enforced group
  fleetmfa.ssh.pam_stack_info:
    confdir: "{{ playbook_dir }}/files/pam.d"
    groups: [mfa-enforced]
    has_key: true
  delegate_to: localhost
  register: stack
  failed_when: stack.can_succeed_without_token or not stack.can_succeed

- name: What if the directory server does not answer
  fleetmfa.ssh.pam_stack_info:
    user: alice
    assume:
      common-auth:17: [authinfo_unavail]
"""

RETURN = r"""
can_succeed:
  description: Whether the stack can say yes at all. If not, nobody of this kind can log in through it.
  returned: success
  type: bool
can_succeed_without_token:
  description: Whether it can say yes without a token module having said yes to a token.
  returned: success
  type: bool
token_asked:
  description: Whether a login runs a token module that asks this user, V(never), V(sometimes) or V(always).
  returned: success
  type: str
  sample: always
token_asked_when_it_succeeds:
  description: The same for the logins that succeed. V(never) if none can.
  returned: success
  type: str
  sample: always
can_succeed_if_token_module_missing:
  description: Whether it can say yes when the C(.so) of the token modules cannot be loaded.
  returned: success
  type: bool
ways_in:
  description: The sets of factors, C(token) and C(password), that can make it say yes.
  returned: success
  type: list
  elements: list
  sample: [[password, token]]
counterexample:
  description:
    - The way to a yes without a token, line by line, or, if there is none, the way to a yes with a missing token module.
    - If the stack can never say yes, the way that came nearest. Else empty.
  returned: success
  type: list
  elements: dict
  contains:
    file:
      description: The file.
      type: str
    line:
      description: The number of the line.
      type: int
    module:
      description: The module, or what is wrong with the line.
      type: str
    returned:
      description: What it returned.
      type: str
    effect:
      description: What the stack made of it.
      type: str
lines:
  description: The C(auth) lines in the order libpam runs them.
  returned: success
  type: list
  elements: dict
  contains:
    file:
      description: The file.
      type: str
    line:
      description: The number of the line.
      type: int
    level:
      description: How many substacks the line is in.
      type: int
    control:
      description: Its control.
      type: str
    module:
      description: Its module, or the file of a substack.
      type: str
    arguments:
      description: The arguments of the module.
      type: list
      elements: str
    results:
      description: What the module may return for this user.
      type: list
      elements: str
    problem:
      description: Why libpam makes it a line that always fails. Empty for a good line.
      type: str
unknown_modules:
  description: Modules nothing is known of, so they may return anything.
  returned: success
  type: list
  elements: str
problem:
  description: Why libpam does not start the service at all. Empty if it does.
  returned: success
  type: str
"""

from dataclasses import asdict

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.config import DEFAULT_CONFDIR, PamConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.modules import TOKEN_MODULES
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.probe import find_module
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.prover import has_so_suffix, prove
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.subject import Subject

ARGUMENTS = {
    "service": {"type": "str", "default": "sshd"},
    "confdir": {"type": "path", "default": DEFAULT_CONFDIR},
    "token_modules": {"type": "list", "elements": "str", "default": list(TOKEN_MODULES), "no_log": False},
    "user": {"type": "str"},
    "groups": {"type": "list", "elements": "str"},
    "has_key": {"type": "bool", "no_log": False},
    "assume": {"type": "dict"},
}


def main():
    module = AnsibleModule(ARGUMENTS, supports_check_mode=True)
    params = module.params
    try:
        config = PamConfig(params["confdir"])
        verdict = prove(
            config,
            params["service"],
            Subject.from_host(params["user"], params["groups"], params["has_key"]),
            token_modules=params["token_modules"],
            assume=params["assume"],
            is_installed=find_module if config.confdir == DEFAULT_CONFDIR else has_so_suffix,
        )
    except FleetMfaError as error:
        module.fail_json(msg=str(error))
    answers = asdict(verdict)
    del answers["service"]
    module.exit_json(changed=False, **answers)


if __name__ == "__main__":
    main()
