# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Real runs: the variables of role mfa from each source, and every entry point refuses before anything else is done."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._role_settings import OF_PLAYBOOKS

ROLE = Path(__file__).parents[3] / "roles/mfa"
ENTRY_POINTS = ("main", "keys", "enforce", "enroll", "remove", "validate", "revoke", "recover", "unlock")
PLAY = """
- hosts: all
  gather_facts: false
  connection: local
  tasks:
"""
READ = """
    - fleetmfa.ssh.role_settings:
      register: read
    - ansible.builtin.copy: {content: "{{ read.settings | to_json }}", dest: "{{ result }}", mode: "0600"}
"""
REFUSED = """
    - ansible.builtin.include_tasks: case.yml
      loop: [main, keys, enforce, enroll, remove, validate, revoke, recover, unlock]
    - ansible.builtin.copy: {content: "{{ seen | to_json }}", dest: "{{ result }}", mode: "0600"}
"""
CASE = """
- block:
    - ansible.builtin.include_role: {name: fleetmfa.ssh.mfa, tasks_from: "{{ item }}"}
  rescue:
    - ansible.builtin.set_fact:
        seen: "{{ seen | default([]) + [[ansible_failed_task.action, ansible_failed_result.msg]] }}"
"""
INI = """
[all]
host
[all:vars]
mfa_guard=false
mfa_enrollment=no
mfa_install_packages=False
mfa_exempt_groups=automation
mfa_exempt_users=['deploy', 'breakglass']
mfa_users=alice,bob
mfa_window=5
mfa_enrollment_start=2026-03-31
mfa_enrollment_extensions={'users': {'alice': 14}, 'groups': {}}
"""
YAML = """
all:
  hosts: {host: }
  vars:
    mfa_guard: no
    mfa_enrollment: "no"
    mfa_install_packages: "False"
    mfa_exempt_groups: automation
    mfa_exempt_users: [deploy, breakglass]
    mfa_users: [alice, bob]
    mfa_window: "{{ 4 + 1 }}"
    mfa_enrollment_start: 2026-03-31
    mfa_enrollment_extensions: {users: {alice: "14"}, groups: {}}
"""
MEANT = {
    "guard": False,
    "enrollment": False,
    "install_packages": False,
    "exempt_groups": ["automation"],
    "exempt_users": ["deploy", "breakglass"],
    "users": ["alice", "bob"],
    "window": 5,
    "enrollment_start": "2026-03-31",
    "enrollment_extensions": {"users": {"alice": 14}, "groups": {}},
    "store": False,  # no mfa_store
}
# What -e makes of blanks and quotation marks is its own.
EXTRA = [line for line in INI.splitlines() if line.startswith("mfa_") and "{" not in line and "[" not in line]
EXTRA += ["mfa_exempt_users=[deploy,breakglass]", "mfa_enrollment_extensions='{users: {alice: 14}, groups: {}}'"]


@pytest.fixture
def run(tmp_path):
    """run(tasks, inventory, extra variables): what the play wrote."""

    def run_(tasks, inventory, *extra):
        files = {"play.yml": PLAY + tasks, "case.yml": CASE, "hosts.ini": inventory, "hosts.yml": inventory}
        for name, text in files.items():
            (tmp_path / name).write_text(text)
        hosts = "hosts.ini" if inventory.lstrip().startswith("[") else "hosts.yml"
        own = f"result={tmp_path}/result ansible_python_interpreter={sys.executable}"
        argv = ["ansible-playbook", "-i", hosts, "play.yml", "-e", own]
        argv += [word for pair in extra for word in ("-e", pair)]
        done = subprocess.run(argv, cwd=tmp_path, env=os.environ, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads((tmp_path / "result").read_text())

    return run_


@pytest.mark.parametrize(
    ("inventory", "extra"), [(INI, ()), (YAML, ()), ("[all]\nhost\n", EXTRA)], ids=["ini", "yaml", "-e"]
)
def test_each_source_is_converted(run, inventory, extra):
    assert run(READ, inventory, *extra) == MEANT


def test_every_entry_point_refuses_before_anything_else(run):
    seen = run(REFUSED, "[all]\nhost\n", "mfa_exempt_user=deploy", "mfa_guard=perhaps", "mfa_exempt_groups='a b'")
    assert len(seen) == len(ENTRY_POINTS)
    for action, message in seen:
        assert action == "fleetmfa.ssh.role_settings"
        assert all(name in message for name in ("mfa_exempt_user: ", "mfa_guard: ", "mfa_exempt_groups: "))


def test_nothing_else_reads_the_variables():
    """mfa__set.NAME everywhere, but for the secrets, what playbooks ask for, and whether there is a key store."""
    asked = "|".join(name[len("mfa_") :] for name in OF_PLAYBOOKS)
    others = rf"(?<![\w.])mfa_(?!_|(?:import_)?keys\b|store\b|(?:{asked})\b)[a-z_]+"
    for path in [*ROLE.glob("tasks/*.yml"), *ROLE.glob("vars/*/*.yml"), *ROLE.rglob("templates/**/*.j2")]:
        for expression in re.findall(
            r"{{.*?}}|{%.*?%}|^\s*(?:when|that): [^\n]*$", path.read_text(), re.MULTILINE | re.DOTALL
        ):
            found = re.findall(others, re.sub(r"'[^']*'", "", expression))
            assert not found, (path.name, found)
