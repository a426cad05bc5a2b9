# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The audit says of each of these doors that it is covered, and of sudo that a rule asks erin for nothing."""

from __future__ import annotations

import json

import pytest


@pytest.fixture(scope="module")
def doors(server, playbook, tmp_path_factory):
    folder = tmp_path_factory.mktemp("audit")
    play = folder / "play.yml"
    play.write_text(f"""\
- hosts: {server.name}
  become: true
  gather_facts: false
  tasks:
    - fleetmfa.ssh.host_audit_info: {{exempt_users: [ansible]}}
      register: told
    - ansible.builtin.copy: {{content: "{{{{ told | to_json }}}}", dest: "{folder}/told.json", mode: "0600"}}
      delegate_to: localhost
      become: false
""")
    playbook(play)
    return {door["name"]: door for door in json.loads((folder / "told.json").read_text())["doors"]}


@pytest.mark.parametrize("name", ["sshd", "login", "su", "su-l"])
def test_covered(doors, name):
    assert doors[name]["state"] == "covered", doors[name]


@pytest.mark.parametrize("name", ["sudo", "sudo-i"])
def test_a_rule_without_password(doors, name):
    assert doors[name]["state"] == "not_covered"
    assert "asks a member of mfa-enforced for the token, but rules of sudo ask" in doors[name]["reason"]
    assert "/etc/sudoers.d/test:3" in doors[name]["reason"]
