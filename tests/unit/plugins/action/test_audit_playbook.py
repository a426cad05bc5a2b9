# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Playbook audit as Ansible runs it, with a module in the place of host_audit_info that returns what the inventory says."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml

from ansible_collections.fleetmfa.ssh.tests.support.audited_fleet import evidence, finding
from ansible_collections.fleetmfa.ssh.tests.support.stand_in_audit import hosts_with, stand_in_collection

ROOT = Path(__file__).parents[4]
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


@pytest.fixture(scope="module")
def collections(tmp_path_factory):
    return stand_in_collection(tmp_path_factory.mktemp("collections"))


@pytest.fixture
def audit(collections, tmp_path):
    def audit(evidence_of, *options, away=False, **variables):
        hosts = hosts_with(evidence_of, tmp_path)
        if away:
            hosts["db9"] = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}
        inventory = {"all": {"hosts": hosts, "vars": {"ansible_become": False, **variables}}}
        (tmp_path / "inventory.yml").write_text(yaml.safe_dump(inventory))
        environment = {**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_COLLECTIONS_PATH": str(collections)}
        command = ["ansible-playbook", "-i", str(tmp_path / "inventory.yml"), *options, "fleetmfa.ssh.audit"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env=environment)
        return done.returncode, done.stdout + done.stderr

    return audit


def test_a_fleet_with_a_fault_a_wrong_clock_and_a_host_that_is_away(audit, tmp_path):
    faulty = evidence(findings=[finding("sshd_not_reloaded", "x")])
    code, output = audit(
        {"web1": evidence(), "web2": faulty, "web3": {**evidence(), "off": -4000}},
        away=True,
        mfa_group="staff",
        mfa_audit_log_days="7",
    )
    made = json.loads((tmp_path / "mfa-audit/audit.json").read_text())
    assert [(one["id"], one["host"]) for one in made["findings"]] == [
        ("host_not_reached", "db9"),
        ("host_clock_off", "web3"),
        ("sshd_not_reloaded", "web2"),
    ], output
    assert "unreachable" in made["not_reached"][0]["why"]
    assert [(one["evidence"]["logs"]["days"], one["evidence"]["mfa"]["group"]) for one in made["hosts"]] == [
        (7, "staff")
    ] * 3
    assert code and "1 finding at or above high (mfa_audit_fail_on)" in output
    # Constant; two of them are Ansible's and mfa_variables' check of the variables, two are skipped without mfa_audit_with_role and
    # mfa_audit_logins.
    assert output.count("\nTASK [") == 7
    assert made["run"]["started"] <= made["run"]["finished"] and (tmp_path / "mfa-audit/report.html").exists()


def test_all_is_well(audit, tmp_path):
    code, output = audit(
        {"web1": evidence(), "web2": evidence()},
        "--check",
        mfa_audit_formats="junit,sarif",
        mfa_audit_dest=str(tmp_path / "out"),
    )
    assert code == 0, output
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["audit.json", "junit.xml", "report.sarif"]


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"mfa_audit_fail_on": SECRET}, "mfa_audit_fail_on: what looks like a secret"),
        (
            {"mfa_audit_fail_on": "severe", "mfa_audit_log_days": 0, "mfa_audit_formats": "pdf"},
            "mfa_audit_fail_on: must be one of none, low, medium, high, critical; "
            "mfa_audit_formats: must be one of html, csv, junit, sarif; "
            "mfa_audit_log_days: must be a number from 1 to 90",
        ),
        (
            {"mfa_audit_failon": "high"},
            "mfa_audit_failon: role fleetmfa.ssh.mfa has no such variable; did you mean mfa_audit_fail_on?",
        ),
    ],
)
def test_a_wrong_variable_is_named_before_anything_is_done(audit, tmp_path, variables, message):
    code, output = audit({"web1": evidence()}, **variables)
    assert code and message in " ".join(output.split()), output
    assert SECRET not in output and not (tmp_path / "mfa-audit").exists() and "Collect the evidence" not in output
