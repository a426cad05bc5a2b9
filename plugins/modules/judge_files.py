#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

# The action plugin of the same name does the work; this file is its documentation.

from __future__ import annotations

DOCUMENTATION = r"""
module: judge_files
short_description: Judge sshd_config and PAM services in a folder, before they are rolled out
version_added: 0.2.0
author:
  - The fleetmfa founders (@fleetmfa)
description:
  - Gives each class of users the verdict that M(fleetmfa.ssh.sshd_policy_info) would give it on a host with these files. Asks the sshd of
    the controller about the C(sshd_config) of the folder, and proves what the folder's PAM services do. Needs no host and no root rights.
  - The task fails if a class of users does not have the wanted verdict. Its message names the lines that decide, and shows a login without
    a token, step by step.
  - The task also fails if something is missing without which nothing can be said, such as a file that is included. Nothing outside the
    folder is read in its place.
  - Used by playbook C(fleetmfa.ssh.judge_files), see C(docs/judge_files.md).
options:
  folder:
    description:
      - A folder on the controller that is laid out like C(/etc), with C(ssh/sshd_config), C(ssh/sshd_config.d/) and C(pam.d/). A relative
        path starts at the working directory of the run.
      - Symbolic links that lead out of it are refused.
    type: str
    required: true
  group:
    description: The enforced group. With a wrong name, another group is judged.
    type: str
    default: mfa-enforced
  exempt_users:
    description:
      - Users who are never asked for a token. What the files say about them does not count for enforced users.
      - An element is a name, or an entry as for M(fleetmfa.ssh.totp_key). One that has ended, by the controller's date, does not count.
    type: list
    elements: raw
    default: []
  exempt_groups:
    description: Groups whose members are never asked for a token, as O(exempt_users).
    type: list
    elements: raw
    default: []
  others:
    description:
      - The verdict that is wanted for users who are neither enforced nor exempt, V(not_asked), V(asked) or V(any) of both.
      - With V(not_asked) the task fails if these users are asked for a token, too, since they may have none. With V(asked), nobody but
        exempt users may get in without a token.
    type: str
    default: not_asked
  binary:
    description:
      - Path of the sshd binary on the controller. By default the usual install locations are searched. The files are judged by its
        version and its defaults.
    type: str
  junit:
    description:
      - A JUnit XML file on the controller to be written, also in check mode and if the files cannot be judged. Its folder has to exist.
    type: str
  rollout:
    description:
      - Judges the folder with what role C(fleetmfa.ssh.mfa) would change in it. Without it, the folder is judged as it is.
      - It has the options C(pam), C(account_check) and C(sshd) of M(fleetmfa.ssh.totp_rollout), as task file C(judge.yml) of the role gives
        them. Their paths, and C(require_installed), are not used, since the files are those of O(folder).
      - The change is planned and proven as on a host. The task fails if it would be refused there.
    type: dict
extends_documentation_fragment:
  - fleetmfa.ssh.on_controller
  - ansible.builtin.action_common_attributes
  - ansible.builtin.action_common_attributes.flow
  - fleetmfa.ssh.attributes
attributes:
  check_mode:
    support: full
    details: Does the same in either mode.
  diff_mode:
    support: none
    details: Changes nothing, so there is no difference to show.
  idempotent:
    support: full
notes:
  - Runs on the controller only; no host is connected to.
  - If in doubt it reports a bypass, as M(fleetmfa.ssh.sshd_policy_info) does.
seealso:
  - module: fleetmfa.ssh.sshd_files_info
  - module: fleetmfa.ssh.sshd_policy_info
  - module: fleetmfa.ssh.pam_stack_info
"""

EXAMPLES = r"""
- name: Judge the files of web servers
  fleetmfa.ssh.judge_files:
    folder: "{{ playbook_dir }}/files/web/etc"
    exempt_users: [deploy]
    junit: "{{ playbook_dir }}/junit.xml"
  run_once: true
"""

RETURN = r"""
openssh_version:
  description: Version of the OpenSSH that the files were judged with, major and minor.
  returned: if the files could be judged
  type: list
  elements: int
  sample: [9, 2]
msg:
  description: The verdicts in words; if the task fails, what is not as wanted, and where.
  returned: always
  type: str
classes:
  description: The classes of users that the files tell apart. If the task fails, RV(msg) says it instead.
  returned: success
  type: list
  elements: dict
  contains:
    kind:
      description: V(enforced), V(exempt) or V(other).
      type: str
    users:
      description: Who they are.
      type: str
    verdict:
      description:
        - As in M(fleetmfa.ssh.sshd_policy_info); V(asked), V(not_asked), V(can_bypass) or V(locked_out).
        - It is about the connections from which AllowUsers and the like let these users in.
      type: str
    wanted:
      description: The verdicts that are wanted.
      type: list
      elements: str
    remembered_seconds:
      description: As in M(fleetmfa.ssh.sshd_policy_info).
      type: int
    ok:
      description: Whether it is one of them, or sshd denies these users by name.
      type: bool
    where:
      description: The lines that decide, with file and number.
      type: list
      elements: str
    counterexample:
      description: A login without a token, as in M(fleetmfa.ssh.sshd_policy_info). Empty if there is none.
      type: list
      elements: dict
    reason:
      description: For V(locked_out), why nobody gets in.
      type: str
    remedy:
      description: What to do. Empty if nothing is to be done.
      type: str
  sample:
    - counterexample: []
      kind: enforced
      ok: true
      reason: ""
      remedy: ""
      remembered_seconds: 0
      users: enforced users
      verdict: asked
      wanted: [asked]
      where:
        - "etc/ssh/sshd_config.d/00-mfa.conf:2 (below `Match Group mfa-enforced`, line 1): authenticationmethods keyboard-interactive"
        - "etc/ssh/sshd_config:3: usepam yes"
        - "etc/pam.d/sshd:2: auth pam_google_authenticator.so"
"""
