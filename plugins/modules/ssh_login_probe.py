#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

# The action plugin of the same name does the work; this file is its documentation.

from __future__ import annotations

DOCUMENTATION = r"""
module: ssh_login_probe
short_description: Log in to hosts as users would, and judge who is asked for a token
version_added: 0.2.0
author:
  - The fleetmfa founders (@fleetmfa)
description:
  - Logs in from the controller with SSH, as any number of users on any number of hosts, several at a time, and reports what each host
    offered and asked. Opens a session and runs nothing in it.
  - The task fails if a login was not as expected, or could not be judged because nobody answers, a host key is unknown, or a prompt is.
    Its message has the counts, and names the first twenty probes that differ.
  - No token is used twice. Record and locks are those of connection P(fleetmfa.ssh.ssh_totp#connection), and so are its variables
    C(ansible_totp_prompt), C(ansible_totp_period), C(ansible_totp_state_dir) and C(mfa_claims), which are read from the probed host.
  - See C(docs/login_probe.md).
options:
  probes:
    description: Who is to log in where, and what is expected. An empty list fails.
    type: list
    elements: dict
    required: true
    suboptions:
      user:
        description: The account to log in as.
        type: str
        required: true
      expect:
        description:
          - V(asked), if the host asks for a token, and the login succeeds with it. Without a secret the probe stops at the prompt, and that
            is V(asked), too.
          - V(not_asked), if the login succeeds and no token was asked for.
          - V(denied), if the host refuses the login, before or after it asks. Without a secret, a host that asks has not refused yet.
        type: str
        required: true
        choices: [asked, not_asked, denied]
      hosts:
        description:
          - Names of hosts in the inventory, whose C(ansible_host) and C(ansible_port) are used, or other names and addresses.
          - By default all hosts of the play.
        type: list
        elements: str
      port:
        description: The port of sshd, 1 to 65535. By default the host's C(ansible_port), or 22.
        type: int
      key_file:
        description: A private SSH key on the controller, without a passphrase. Its certificate is used, if there is one beside it.
        type: path
      agent:
        description: Whether to use the keys of the SSH agent. By default if neither O(probes[].key_file) nor O(probes[].password) is given.
        type: bool
      password:
        description: The user's password. Without it a password prompt is not answered.
        type: str
      secret:
        description:
          - The user's TOTP secret in base32, or the whole key as C(otpauth://) URI.
          - Without it, the validated key of that person in the key store of the host's variables C(mfa_store*), if there is one.
        type: str
  fail:
    description: Whether the task fails if a probe is not as expected. If not, test RV(as_expected).
    type: bool
    default: true
  key_store:
    description: Whether to use the key store. If not, probes without O(probes[].secret) stop at the prompt and use no token.
    type: bool
    default: true
  known_hosts:
    description:
      - Files with the keys of the hosts, in the format of OpenSSH. Host certificates (C(@cert-authority)) are not supported.
      - By default C(~/.ssh/known_hosts) and C(/etc/ssh/ssh_known_hosts).
    type: list
    elements: path
  login_timeout:
    description: After how many seconds a probe gives up, 1 to 600. Does not include the time it waits for a token that was not used yet.
    type: int
    default: 60
  parallel:
    description: How many probes run at a time, 1 to 200; at most five of them on one host.
    type: int
    default: 20
  junit:
    description: A JUnit XML file on the controller to be written, an absolute path. Its folder has to exist. Also written in check mode.
    type: path
extends_documentation_fragment:
  - fleetmfa.ssh.on_controller
  - ansible.builtin.action_common_attributes
  - ansible.builtin.action_common_attributes.flow
  - fleetmfa.ssh.attributes
attributes:
  check_mode:
    support: full
    details: Does the same in either mode; logs in, and uses tokens.
  diff_mode:
    support: none
    details: Changes nothing, so there is no difference to show.
  idempotent:
    support: full
requirements:
  - paramiko >= 3.4, on the controller
notes:
  - Runs on the controller only. C(~/.ssh/config) is not read, and jump hosts are not supported.
  - A probe is a login for the host. It uses a token, and counts for the rate limit of the user, also if it stops at the prompt. A denied
    one counts for C(PerSourcePenalties) of OpenSSH 9.8 and later, which soon refuse all connections from the controller.
seealso:
  - module: fleetmfa.ssh.sshd_policy_info
  - plugin: fleetmfa.ssh.ssh_totp
    plugin_type: connection
"""

EXAMPLES = r"""
- name: Who is asked for a token, on all hosts of the play
  fleetmfa.ssh.ssh_login_probe:
    probes:
      - user: alice
        expect: asked
        key_file: /etc/fleet/probe_alice
        secret: "{{ vault_totp_alice }}"
      - user: deploy
        expect: not_asked
      - user: leaver
        expect: denied
        hosts: [web1, db1]
        key_file: /etc/fleet/probe_leaver
    junit: "{{ playbook_dir }}/logins.xml"
  run_once: true
"""

RETURN = r"""
rows:
  description:
    - One for each user and host, in the order of O(probes). Never a secret.
    - If the task fails, the first five that are not as expected, since Ansible prints all that a failed task returns. With O(fail=false)
      all are returned, and O(junit) always has all.
  returned: if all options are right
  type: list
  elements: dict
  contains:
    host:
      description: The host, as named in O(probes[].hosts) or in the inventory.
      type: str
      sample: web1
    user:
      description: The user.
      type: str
      sample: alice
    expected:
      description: What was expected.
      type: str
      sample: asked
    result:
      description: V(asked), V(not_asked), V(denied), or V(error) if it could not be judged.
      type: str
      sample: not_asked
    ok:
      description: Whether the result is what was expected.
      type: bool
    steps:
      description:
        - The attempts in order, each with C(method), C(outcome), the C(methods) that the host takes after it, and the texts of the
          C(prompts).
        - The outcome is V(offered), V(partial), V(accepted), V(refused) or V(stopped).
      type: list
      elements: dict
      sample:
        - {method: none, outcome: offered, methods: [publickey], prompts: []}
        - {method: publickey, outcome: partial, methods: [keyboard-interactive], prompts: []}
        - {method: keyboard-interactive, outcome: accepted, methods: [], prompts: ["Verification code:"]}
    reason:
      description: What is to be said about the result; an empty text for a complete login.
      type: str
    seconds:
      description: How long the login took.
      type: float
as_expected:
  description: Whether all probes were as expected.
  returned: if all options are right
  type: bool
counts:
  description: How many rows have each result.
  returned: if all options are right
  type: dict
  sample: {asked: 12, not_asked: 3, denied: 0, error: 0}
"""
