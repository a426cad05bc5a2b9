# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What role mfa gives totp_rollout for the doors in mfa_services: nothing new by default, the same lines for each further one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.fleetmfa.ssh.tests.support.token_lines import token_lines

ROLE = Path(__file__).parents[3] / "roles/mfa"
HOST = {
    "capabilities": {"pam_service_name": False},
    "pam_services": ["sshd"],
    "pam_rules_by_name": [],
    "own_pam_services": ["sshd", "cockpit"],
    "token_module": "/lib/security/pam_google_authenticator.so",
}
PLAY = """
- hosts: all
  gather_facts: false
  connection: local
  vars_files: [{role}/defaults/main.yml, {role}/vars/main/main.yml]
  tasks:
    - fleetmfa.ssh.role_settings:
      register: mfa__read
    - ansible.builtin.copy: {{content: "{{{{ mfa__pam_services | to_json }}}}", dest: "{{{{ result }}}}", mode: "0600"}}
"""


@pytest.fixture
def entries(tmp_path):
    """entries(mfa_services=[...]): option pam of totp_rollout, by service."""

    def entries(**variables):
        (tmp_path / "play.yml").write_text(PLAY.format(role=ROLE))
        if not (tmp_path / "templates").exists():
            (tmp_path / "templates").symlink_to(ROLE / "templates")
        given = {
            "mfa__sshd": HOST,
            "ansible_managed": "by a test",
            "result": str(tmp_path / "result"),
            "ansible_python_interpreter": sys.executable,
            **variables,
        }
        argv = ["ansible-playbook", "-i", "host,", "play.yml", "-e", json.dumps(given)]
        done = subprocess.run(argv, cwd=tmp_path, env=os.environ, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        listed = json.loads((tmp_path / "result").read_text())
        assert len({entry["service"] for entry in listed}) == len(listed)
        return {entry.pop("service"): entry for entry in listed}

    return entries


def lines(text):
    return [line for line in text.splitlines() if not line.startswith("#")]


def test_by_default_nothing_else_is_touched(entries):
    """The lines are those of the template alone; a service that is no longer in the list, and still has lines, loses them."""
    found = entries()
    assert {name: entry["state"] for name, entry in found.items() if "state" in entry} == {
        "sshd": "present",
        "sshd-mfa": "absent",
        "cockpit": "absent",
    }
    assert set(found["sshd"]) == {
        *("state", "content", "guard", "own_service", "base_service", "require_installed", "token_alone"),
        "remember_seconds",
    }
    assert found["sshd"]["remember_seconds"] == 0
    template = token_lines("/usr/local/libexec/fleetmfa", "/var/lib/fleetmfa", own_service=False, second_device=False)
    assert lines(found["sshd"]["content"]) == lines(template)
    assert "# For sshd, by role fleetmfa.ssh.mfa." in found["sshd"]["content"].splitlines()


def test_further_doors_get_the_lines_of_a_password_and_a_token(entries):
    services = ["sshd", "su", "lightdm", "cockpit"]
    default = entries()["sshd"]
    found = entries(mfa_services=services, mfa_services_tried=["lightdm", "elsewhere"])
    assert found["sshd"] == default and set(found) == {*services, "sshd-mfa"}
    template = token_lines(
        *("/usr/local/libexec/fleetmfa", "/var/lib/fleetmfa"),
        own_service=False,
        second_device=False,
        factors="password+totp",
    )
    for name in services[1:]:
        entry = found[name]
        assert (entry["after_password"], entry["asks_again"]) == (True, name == "lightdm")
        assert lines(entry["content"]) == lines(template.replace("pam_exec.so quiet", "pam_exec.so quiet seteuid"))
        assert "# After the password, by role fleetmfa.ssh.mfa." in entry["content"].splitlines()


def test_a_second_device_is_asked_for_by_sshd_alone(entries):
    found = entries(mfa_services=["sshd", "su"], mfa_second_device=True)
    assert "one-device" in found["sshd"]["content"] and "one-device" not in found["su"]["content"]


def test_a_token_is_remembered_by_sshd_alone(entries):
    found = entries(mfa_services=["sshd", "su"], mfa_remember_seconds=3600, mfa_remember_groups=["ops", "web"])
    assert (
        "totp-guard remembered 3600 ops:web\n" in found["sshd"]["content"] and found["sshd"]["remember_seconds"] == 3600
    )
    assert "totp-guard claim remember\n" in found["sshd"]["content"]
    assert "remember" not in found["su"]["content"] and not found["su"].get("remember_seconds")
