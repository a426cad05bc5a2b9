#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: pam_stack_info
short_description: Prove what a PAM service can do
version_added: 0.1.0
author:
  - The fleetmfa founders (@fleetmfa)
description:
  - Reads the C(auth) stack of a PAM service, with its includes and substacks, as libpam does, and works out what it can do for
    all possible results of its modules; whether it can succeed, whether it can succeed without a token, whether it asks for one.
  - If the token can be bypassed, shows how, line by line.
  - Read-only. No PAM module is run and nobody is prompted.
options:
  service:
    description: The PAM service. If it has no file, or its file has no C(auth) line, the lines of C(other) are used, as in libpam.
    type: str
    default: sshd
  confdir:
    description:
      - The folder of PAM services to read. It can be any folder, so a stack can be checked before it is installed.
      - Files included by name are searched for in this folder only; with V(/etc/pam.d), then also in C(/usr/lib/pam.d) and
        C(/usr/etc/pam.d).
      - With V(/etc/pam.d), a module that is not installed on this host is considered missing. With any other folder,
        every module whose name ends in C(.so) is considered installed.
    type: path
    default: /etc/pam.d
  token_modules:
    description:
      - The modules that ask for the token.
      - If you add a module, it is treated as one that asks for a token, and its success as proof of a valid token.
    type: list
    elements: str
    default: [pam_google_authenticator.so, pam_oath.so]
  user:
    description:
      - The user that conditions such as C(pam_succeed_if) are evaluated for. Without O(groups), the user has the groups known to
        this host.
      - Without this option and O(groups) the results are for the worst case, in which every condition may go either way.
    type: str
  groups:
    description:
      - All groups of the user or class of users; it is assumed to be a member of no others.
    type: list
    elements: str
  has_key:
    description:
      - Whether the user has a key. With V(false), C(nullok) disables the token.
      - By default both cases are evaluated.
    type: bool
  assume:
    description:
      - For what-if questions. Maps a line, given as C(file:line), to the list of results that its module may return, such as
        V(success), V(auth_err) or V(ignore). The file is a name in O(confdir) or a full path.
    type: dict
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
  - fleetmfa.ssh.attributes
attributes:
  check_mode:
    support: full
    details: Changes nothing in either mode.
  diff_mode:
    support: none
    details: Changes nothing, so there is no difference to show.
  idempotent:
    support: full
  platform:
    support: full
    platforms: posix
notes:
  - Runs anywhere, including localhost. Files that C(pam_listfile) and C(pam_access) refer to are read on the machine that the module
    runs on.
  - If in doubt it reports a bypass. Two conditions on the same unknown fact may give different answers, and an unknown module may
    return anything.
seealso:
  - module: fleetmfa.ssh.pam_totp
"""

EXAMPLES = r"""
- name: Fail if the token can be bypassed on this host
  fleetmfa.ssh.pam_stack_info:
  register: stack
  failed_when: stack.can_succeed_without_token

- name: Check a stack before it is installed, for members of the enforced group
  fleetmfa.ssh.pam_stack_info:
    confdir: "{{ playbook_dir }}/files/pam.d"
    groups: [mfa-enforced]
    has_key: true
  delegate_to: localhost
  register: stack
  failed_when: stack.can_succeed_without_token or not stack.can_succeed

- name: See what happens if the directory server does not answer
  fleetmfa.ssh.pam_stack_info:
    user: alice
    assume:
      common-auth:17: [authinfo_unavail]
"""

RETURN = r"""
can_succeed:
  description: Whether the stack can succeed at all. If not, no such user can log in through it.
  returned: success
  type: bool
can_succeed_without_token:
  description:
    - Whether it can succeed without a token module having accepted a token.
    - A line of role P(fleetmfa.ssh.mfa#role) that knows of an earlier token does not count; see RV(remembered_seconds).
  returned: success
  type: bool
token_asked:
  description: Whether a login runs a token module that asks this user for a token; V(never), V(sometimes) or V(always).
  returned: success
  type: str
  sample: always
token_asked_when_it_succeeds:
  description: The same for successful logins only. V(never) if no login can succeed.
  returned: success
  type: str
  sample: always
can_succeed_if_token_module_missing:
  description: Whether it can succeed if the C(.so) files of the token modules cannot be loaded.
  returned: success
  type: bool
ways_in:
  description: The sets of factors, out of C(token), C(remembered) and C(password), with which it can succeed.
  returned: success
  type: list
  elements: list
  sample: [[password, token]]
counterexample:
  description:
    - How the stack succeeds without a token, line by line, or, if it cannot, how it succeeds with a missing token module.
    - If the stack can never succeed, the path that came closest. Otherwise empty.
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
      description: The module, or the error in the line.
      type: str
    prompt:
      description: What the module asks. Empty if it asks nothing.
      type: str
    answer:
      description:
        - What it reads, as an answer to its prompt or to an earlier one; V(password), V(token), V(password and token in one),
          V(password and any six digits in one), V(anything else), or empty if it reads nothing.
      type: str
    returned:
      description: The result of the module.
      type: str
    effect:
      description: What the stack does with this result.
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
      description: Nesting depth of substacks.
      type: int
    control:
      description: The control field of the line.
      type: str
    module:
      description: The module, or the file of a substack.
      type: str
    arguments:
      description: The arguments of the module.
      type: list
      elements: str
    results:
      description: The results that the module may return for this user.
      type: list
      elements: str
    problem:
      description: Why libpam treats this line as one that always fails. Empty for a valid line.
      type: str
unknown_modules:
  description: Unknown modules, which are assumed to return anything.
  returned: success
  type: list
  elements: str
remembered_seconds:
  description:
    - For how many seconds after a token a user may not be asked again (C(mfa_remember_seconds)), V(0) if each login is asked.
    - Only a line that the role writes, in its own block, counts. Any other line like it is a way in without a token.
  returned: success
  type: int
  sample: 0
problem:
  description: Why libpam does not start the service at all. Empty if it does.
  returned: success
  type: str
"""

from dataclasses import asdict

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._module import Module
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


def main() -> None:
    module = Module(ARGUMENTS, supports_check_mode=True)
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
