# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The audit says of these doors that they are covered, and of sudo that a rule asks erin for nothing."""

from __future__ import annotations

import json

import pytest


@pytest.fixture(scope="module")
def doors(server, playbook, tmp_path_factory):
    folder = tmp_path_factory.mktemp("audit")
    variables = {"mfa_audit_dest": str(folder), "mfa_audit_fail_on": "none", "mfa_audit_formats": []}
    playbook("fleetmfa.ssh.audit", "-e", json.dumps(variables))
    hosts = json.loads((folder / "audit.json").read_text())["hosts"]
    evidence = next(one["evidence"] for one in hosts if one["host"] == server.name)
    return {door["name"]: door for door in evidence["doors"]}


@pytest.mark.parametrize("name", ["login", "su", "su-l"])
def test_covered(doors, name):
    assert doors[name]["state"] == "covered", doors[name]


@pytest.mark.parametrize("name", ["sudo", "sudo-i"])
def test_a_rule_without_password(doors, name):
    assert doors[name]["state"] == "not_covered", doors[name]
    assert "asks a member of mfa-enforced for the token, but rules of sudo ask" in doors[name]["reason"]
    assert "/etc/sudoers.d/test:3" in doors[name]["reason"]
