# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""checks/fleet_checks.py on hosts that are reached by SSH, with become: a fault fails a case of its host only."""

from __future__ import annotations

import subprocess
import sys
from xml.etree import ElementTree

from conftest import INVENTORY, SCENARIO, root_of

CHECKS = SCENARIO.parents[1] / ".ansible/collections/ansible_collections/fleetmfa/ssh/checks/fleet_checks.py"
SOUND, FAULTY = "debian11-1", "debian13-1"


def test_a_fault_fails_a_case_of_its_host(tmp_path):
    root_of(FAULTY).run_expect([0], "chmod 0644 /var/lib/fleetmfa/keys/alice")
    hosts = ",".join(f"ansible://{name}" for name in (SOUND, FAULTY))
    options = [f"--hosts={hosts}", f"--ansible-inventory={INVENTORY}", f"--junit-xml={tmp_path}/junit.xml"]
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options, str(CHECKS)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    cases = list(ElementTree.parse(tmp_path / "junit.xml").iter("testcase"))  # noqa: S314
    assert len([case for case in cases if SOUND in case.get("name")]) > 50, done.stdout + done.stderr
    failed = {case.get("name") for case in cases if case.find("failure") is not None or case.find("error") is not None}
    assert f"test_finding[ansible://{FAULTY}-key_unreadable]" in failed and done.returncode == 1, failed
    assert not any(SOUND in name for name in failed), done.stdout
