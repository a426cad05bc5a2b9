# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Playbook status as Ansible runs it, on hosts that are this machine, with key files of their own, and one that is away."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.key_file import KeyFile, KeySettings
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.origin import given_by_operator
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.state_dir import StateDir
from ansible_collections.fleetmfa.ssh.tests.support.people import CODES, START, secret

ROOT = Path(__file__).parents[4]


class StatusHosts:
    def __init__(self, folder):
        self.folder = folder
        self.state = {name: StateDir(str(folder / name)) for name in ("web1", "web2")}
        for state in self.state.values():
            with state.lock():
                state.prepare()
            key = KeyFile.create(secret("one"), KeySettings(), "SSH", "alice", CODES, START)
            state.save_pending("alice", key.with_meta(**given_by_operator()))
        self.state["web2"].record_sync()

    def status(self, *options, away=False, **variables):
        hosts = {name: {"state": state.path, "ansible_connection": "local"} for name, state in self.state.items()}
        if away:
            hosts["db9"] = {
                "ansible_connection": "ssh",
                "ansible_host": "127.0.0.1",
                "ansible_port": 1,
                "state": "/none",
            }
        common = {"ansible_python_interpreter": sys.executable, "ansible_become": False, **variables}
        (self.folder / "inventory.yml").write_text(yaml.safe_dump({"all": {"hosts": hosts, "vars": common}}))
        command = ["ansible-playbook", "-i", str(self.folder / "inventory.yml"), *options]
        command += ["-e", json.dumps({"mfa__state_dir": "{{ state }}"}), "fleetmfa.ssh.status"]
        environment = {**os.environ, "ANSIBLE_NOCOLOR": "1"}
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=environment)
        output = done.stdout + done.stderr
        assert secret("one") not in output and not any(code in output for code in CODES)
        return done.returncode, output


@pytest.fixture
def hosts(accounts, tmp_path):
    return StatusHosts(tmp_path)


def content(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != "inventory.yml"}


def test_the_table_with_a_host_that_is_away(hosts):
    before = content(hosts.folder)
    code, output = hosts.status("-vvv", "--check", away=True)
    assert code and content(hosts.folder) == before
    assert "3 hosts (1 NOT REACHED), 3 users: 2 not provisioned, 1 pending" in output
    assert "\nalice  all    pending          2" in output
    assert "\nLast sync 2" in output and ": web2\nLast sync never: web1" in output
    assert "NOT REACHED  db9: unreachable: " in output and "1 of 3 hosts were not reached: db9" in output


def test_json_attention_and_some_users(hosts):
    path = hosts.folder / "status.json"
    options = {"mfa_status_json": str(path), "mfa_status_show": "attention", "mfa_status_users": "alice,nobodee"}
    code, output = hosts.status(**options)
    assert not code and "Nothing needs attention." in output, output
    assert "No host has an account or a key of nobodee." in output
    found = json.loads(path.read_text())["hosts"]
    assert [(one["host"], [user["user"] for user in one["users"]]) for one in found] == [
        ("web1", ["alice"]),
        ("web2", ["alice"]),
    ]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_wrong_choice_is_named(hosts):
    code, output = hosts.status(mfa_status_show="everything")
    assert code and "show (mfa_status_show): must be one of all, attention" in output
