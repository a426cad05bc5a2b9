# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What molecule calls idempotence, on hosts that another scenario does not have."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

SCENARIO = Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"])
INVENTORY = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "inventory" / "lab.yml"


@pytest.mark.release
def test_a_second_run_changes_nothing():
    command = ["ansible-playbook", "-i", str(INVENTORY), "converge.yml"]
    environment = {**os.environ, "ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_NOCOLOR": "1"}
    done = subprocess.run(command, capture_output=True, text=True, cwd=SCENARIO, env=environment, check=True)
    changed = dict(re.findall(r"^(\S+) +: ok=\d+ +changed=(\d+)", done.stdout, re.MULTILINE))
    assert len(changed) == 9 and set(changed.values()) == {"0"}, done.stdout
