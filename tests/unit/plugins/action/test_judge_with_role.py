# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Playbook judge_files with what role mfa would change in the folder: rendered by the role, and never written."""

from __future__ import annotations

import json

from ansible_collections.fleetmfa.ssh.tests.support.judged_folder import PLAIN
from ansible_collections.fleetmfa.ssh.tests.support.sshd_host import needs_sshd
from ansible_collections.fleetmfa.ssh.tests.unit.plugins.action.test_judge_files import cases, judge  # noqa: F401

pytestmark = needs_sshd
WITH_ROLE = ("-e", "folder=etc", "-e", "mfa_judge_with_role=true")


def contents(etc):
    return {path: path.read_bytes() for path in sorted(etc.path.rglob("*")) if path.is_file()}


def test_after_the_role_enforced_users_are_asked(judge, tmp_path):  # noqa: F811
    """Another door gets its lines, too. Nothing is written; variables of the role that cannot be meant are refused."""
    judge.etc.remove("ssh/sshd_config.d/00-mfa.conf")
    judge.etc.write("pam.d/sshd", PLAIN)
    judge.etc.write("pam.d/su", PLAIN)
    before = contents(judge.etc)
    settings = ("-e", json.dumps({"mfa_factors": "either", "mfa_services": ["sshd", "su"]}))
    code, output = judge(*WITH_ROLE, *settings, "-e", "mfa_judge_junit=junit.xml")
    assert code == 0, output
    assert "classes of users are as wanted in etc with what role mfa adds (enforced group mfa-enforced" in output
    assert "enforced users: asked" in output and "other users: not_asked" in output
    assert cases(tmp_path / "junit.xml")["enforced users"] == []
    assert contents(judge.etc) == before
    code, output = judge(*WITH_ROLE, "-e", json.dumps({"mfa_state": "absent"}))
    assert code != 0 and "mfa_state: is absent" in output, output
