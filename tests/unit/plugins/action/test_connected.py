# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""How the controller is connected is found out by the action, not told by a task: ansible itself runs the modules."""

from __future__ import annotations

import subprocess

import pytest

MODULES = ("sshd_policy_info", "totp_key", "totp_rollout", "totp_validate")


@pytest.mark.parametrize("module", MODULES)
def test_a_task_cannot_say_how_it_is_connected(module):
    given = '{"_connection": {"answers_token": true}}'
    # Check mode: if it is not refused, the module runs on the machine of the tests.
    command = ["ansible", "localhost", "--check", "-m", f"fleetmfa.ssh.{module}", "-a", given]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode != 0 and "_connection is no option" in done.stdout + done.stderr
