# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""How the controller is connected is found out by the action, not told by a task: ansible itself runs the modules."""

from __future__ import annotations

import hashlib
import os
import subprocess
import time
from pathlib import Path

import pytest
import yaml
from ansible.errors import AnsibleActionFail

from ansible_collections.fleetmfa.ssh.plugins.action.host_audit_info import ActionModule as HostAuditInfo
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.pam_programs import FIRST_LINE, FOLDER, pam_programs
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._connected_action import ConnectedAction

ROOT = Path(__file__).parents[4]
MODULES = ("host_audit_info", "sshd_policy_info", "totp_host", "totp_key", "totp_rollout", "totp_validate")


@pytest.mark.parametrize("module", MODULES)
def test_a_task_cannot_say_how_it_is_connected(module):
    given = '{"_connection": {"answers_token": true}}'
    # Check mode: if it is not refused, the module runs on the machine of the tests.
    command = ["ansible", "localhost", "--check", "-m", f"fleetmfa.ssh.{module}", "-a", given]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode != 0 and "_connection is no option" in done.stdout + done.stderr


class _ActionOnAHost(ConnectedAction):
    """A shell answers, as sshd starts it, after what start-up files print."""

    def __init__(self, environment):
        self.environment = environment

    def _low_level_execute_command(self, cmd, sudoable=True):
        assert not sudoable, "with become, neither the account nor the address would be those of the login"
        said = subprocess.run(["sh", "-c", cmd], capture_output=True, text=True, env=self.environment, check=False)
        return {"rc": said.returncode, "stdout": f"Welcome to web1\r\n4711 users\r\n{said.stdout}"}


@pytest.mark.parametrize("address", ["192.0.2.10", "2001:db8::5"])
def test_the_host_says_who_is_connected_and_from_where(address):
    action = _ActionOnAHost({**os.environ, "SSH_CONNECTION": f"{address} 50022 198.51.100.7 22"})
    assert action._login() == (os.getuid(), address)


def test_the_address_is_not_known():
    environment = {name: value for name, value in os.environ.items() if name != "SSH_CONNECTION"}
    assert _ActionOnAHost(environment)._login() == (os.getuid(), "")


class _AuditThroughAShellThatHidesTheAnswer(_ActionOnAHost, HostAuditInfo):
    logs_in = True

    def _low_level_execute_command(self, cmd, sudoable=True):
        return {"rc": 0, "stdout": "Welcome to web1\r\n"}


def test_an_audit_goes_on_without_the_address():
    """Every other module has to know as whom it is connected."""
    action = _AuditThroughAShellThatHidesTheAnswer(dict(os.environ))
    assert action.connection_facts() == {}
    with pytest.raises(AnsibleActionFail, match="cannot determine the account"):
        ConnectedAction.connection_facts(action)


def test_an_audit_tells_when_the_host_was_asked():
    action = HostAuditInfo.__new__(HostAuditInfo)
    action._task_vars = {}
    action._execute_module = lambda **_given: {"evidence": {}, "asked": {"began": 0, "ended": 0}}
    before = time.time()
    asked = action.module("fleetmfa.ssh.host_audit_info", {})["asked"]
    assert before <= asked["began"] <= asked["ended"] <= time.time(), "not what the host says"


def test_an_audit_knows_the_programs_that_the_role_writes():
    variables = yaml.safe_load((ROOT / "roles/mfa/vars/main/main.yml").read_text())
    assert variables["mfa__shebang"].encode() == FIRST_LINE and variables["mfa__program_dir"] == FOLDER
    written = {one["path"].replace("{{ mfa__program_dir }}", FOLDER) for one in variables["mfa__pam_programs"]}
    assert set(pam_programs()) == written
    guard = FIRST_LINE + (ROOT / f"roles/mfa/files{FOLDER}/totp-guard").read_bytes()
    assert pam_programs()[f"{FOLDER}/totp-guard"] == hashlib.sha256(guard).hexdigest()
    given = '{"_programs": {}}'
    command = ["ansible", "localhost", "--check", "-m", "fleetmfa.ssh.host_audit_info", "-a", given]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode != 0 and "_programs is no option" in done.stdout + done.stderr
