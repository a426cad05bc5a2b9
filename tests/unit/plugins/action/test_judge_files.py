# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Playbook judge_files as CI runs it: exit code, last lines, JUnit."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from lxml import etree

from ansible_collections.fleetmfa.ssh.tests.support.judged_folder import JudgedEtc
from ansible_collections.fleetmfa.ssh.tests.support.sshd_host import POLICY, needs_sshd

pytestmark = needs_sshd
ROOT = Path(__file__).parents[4]
XSD = etree.XMLSchema(etree.parse(str(ROOT / "tests/support/junit.xsd")))
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


@pytest.fixture
def judge(tmp_path):
    etc = JudgedEtc(tmp_path / "etc")

    def judge(*options):
        command = ["ansible-playbook", "fleetmfa.ssh.judge_files", *options]
        environment = {**os.environ, "ANSIBLE_NOCOLOR": "1"}
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env=environment)
        return done.returncode, done.stdout + done.stderr

    judge.etc = etc
    return judge


def cases(path):
    found = etree.parse(str(path))
    XSD.assertValid(found)
    return {case.get("name"): [child.tag for child in case] for case in found.iter("testcase")}


def test_as_wanted(judge, tmp_path):
    code, output = judge("-e", "folder=etc", "-e", "mfa_judge_junit=junit.xml")
    assert code == 0, output
    assert "All 3 classes of users are as wanted in etc (enforced group mfa-enforced, judged with OpenSSH" in output
    assert "enforced users: asked; root (enforced): denied; other users: not_asked" in output
    assert cases(tmp_path / "junit.xml") == {"enforced users": [], "root (enforced)": [], "other users": []}


def test_a_bypass(judge, tmp_path):
    """By members of sudo, unless they are exempt, in a variable of the role."""
    dropin = f"Match Group sudo\n    AuthenticationMethods publickey\n{POLICY}"
    judge.etc.write("ssh/sshd_config.d/00-mfa.conf", dropin)
    code, output = judge("-e", "folder=etc", "-e", "mfa_judge_junit=junit.xml")
    assert code != 0
    _before, head, told = output.partition("1 of 5 classes of users are not as wanted in etc")
    lines = told.splitlines()
    assert head and lines[1] == "enforced users in sudo: can_bypass, wanted: asked"
    assert lines[2] == (
        "  etc/ssh/sshd_config.d/00-mfa.conf:2 (below `Match Group sudo`, line 1): authenticationmethods publickey"
    )
    assert lines[4].startswith("  1. connect: as one of them from") and lines[5].startswith(
        "  2. publickey, given an SSH"
    )
    assert lines[7].startswith("  Remedy: ")
    assert cases(tmp_path / "junit.xml")["enforced users in sudo"] == ["failure"]
    code, output = judge("-e", "folder=etc", "-e", '{"mfa_exempt_groups": ["sudo"]}')
    assert code == 0, output


def test_what_cannot_be_judged_is_an_error_in_junit_too(judge, tmp_path):
    judge.etc.remove("pam.d/common-auth")
    code, output = judge("-e", "folder=etc", "-e", "mfa_judge_junit=junit.xml")
    assert code != 0 and "etc/pam.d/sshd:4: cannot include common-auth" in output and "as wanted" not in output
    assert cases(tmp_path / "junit.xml") == {"files": ["error"]}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ([], "'folder' is undefined"),
        (["-e", "folder="], "folder: is empty; name the folder"),
        (["-e", "folder=etc", "-e", "mfa_judge_others=maybe"], "others (mfa_judge_others): must be one of not_asked, asked, any"),
        (["-e", "folder=etc", "-e", "mfa_judge_sshd=/nowhere"], "sshd: /nowhere does not exist; install the OpenSSH server"),
        (["-e", "folder=etc", "-e", "mfa_judge_junit=nowhere/x.xml"], "nowhere/x.xml"),
        (["-e", f"folder={SECRET}"], "folder"),
    ],
)  # fmt: skip
def test_wrong_variables(judge, options, told):
    code, output = judge(*options)
    assert code != 0 and told in output and "as wanted" not in output
    assert SECRET not in output
