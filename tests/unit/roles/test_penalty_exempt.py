# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What role mfa writes into the drop-in for addresses that sshd must not shut out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROLE = Path(__file__).parents[3] / "roles/mfa"
HOST = {"capabilities": {"pam_service_name": False, "separate_challenge_response": False}, "pam_rules_by_name": []}
PLAY = """
- hosts: all
  gather_facts: false
  connection: local
  vars_files: [{role}/defaults/main.yml, {role}/vars/main/main.yml]
  tasks:
    - fleetmfa.ssh.role_settings:
      register: mfa__read
    - ansible.builtin.template: {{src: {role}/templates/etc/ssh/sshd_config.d/00-fleetmfa.conf.j2, dest: "{{{{ result }}}}", mode: "0600"}}
"""


@pytest.fixture
def dropin(tmp_path):
    """dropin(exempt, of_host): the lines of the drop-in about penalties; of_host is the list in sshd -T, None if it has none."""

    def dropin(exempt, of_host):
        (tmp_path / "play.yml").write_text(PLAY.format(role=ROLE))
        if not (tmp_path / "templates").exists():
            (tmp_path / "templates").symlink_to(ROLE / "templates")
        baseline = {} if of_host is None else {"persourcepenaltyexemptlist": of_host}
        given = {
            "mfa__sshd": {**HOST, "pam_services": ["sshd"], "baseline": baseline},
            "result": str(tmp_path / "result"),
            "ansible_python_interpreter": sys.executable,
            "mfa_penalty_exempt": exempt,
        }
        argv = ["ansible-playbook", "-i", "host,", "play.yml", "-e", json.dumps(given)]
        done = subprocess.run(argv, cwd=tmp_path, env=os.environ, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        written = (tmp_path / "result").read_text().splitlines()
        found = [line for line in written if line.startswith("PerSource")]
        assert all(written.index(line) < written.index("Match Group mfa-enforced") for line in found), (
            "it is a global setting"
        )
        return found

    return dropin


def test_addresses_are_added_to_those_of_the_host(dropin):
    assert dropin(["192.0.2.10", "2001:db8::/64"], "none") == ["PerSourcePenaltyExemptList 192.0.2.10,2001:db8::/64"]
    assert dropin(["192.0.2.10"], "!10.0.0.9,10.0.0.0/8,192.0.2.10") == [
        "PerSourcePenaltyExemptList !10.0.0.9,10.0.0.0/8,192.0.2.10"
    ]


def test_host_whose_sshd_knows_no_such_list_gets_none(dropin):
    assert dropin(["192.0.2.10"], None) == []


def test_by_default_nothing_is_written(dropin):
    assert dropin([], "none") == []
