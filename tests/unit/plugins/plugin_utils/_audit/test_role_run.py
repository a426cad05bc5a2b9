# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What role mfa would change on a host is the finding state_drift."""

from __future__ import annotations

import pytest

from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.role_run import role_drift

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
NOTHING = {"changed": False, "paths": [], "units": []}


def evidence(result):
    return [text for one in role_drift("web1", result) for text in one.evidence]


def test_a_host_as_the_role_would_write_it():
    rollout = {"changed": False, "files": [], "earlier_rollout": None}
    assert evidence({"changed": False, "programs": NOTHING, "rollout": rollout, "enrollment": NOTHING}) == []


def test_files_of_each_part_in_one_finding():
    result = {
        "programs": {"changed": True, "paths": ["/usr/local/libexec/fleetmfa/totp-guard"], "units": []},
        "rollout": {"changed": True, "files": ["/etc/pam.d/sshd"]},
        "enrollment": {"changed": True, "paths": ["/etc/fleetmfa/policy.conf"], "units": ["fleetmfa-enroll.socket"]},
    }
    (finding,) = role_drift("web1", result)
    assert (finding.id, finding.severity, finding.host) == ("state_drift", "high", "web1")
    paths = ["/usr/local/libexec/fleetmfa/totp-guard", "/etc/pam.d/sshd", "/etc/fleetmfa/policy.conf"]
    assert list(finding.evidence) == [f"{path}: role mfa would write something else" for path in paths]


def test_a_unit_that_would_be_started():
    told = {"changed": True, "paths": [], "units": ["fleetmfa-enroll.socket"]}
    assert evidence({"enrollment": told}) == ["fleetmfa-enroll.socket: role mfa would start it"]


def test_a_change_that_has_no_name():
    """The group of overdue users is missing."""
    assert evidence({"enrollment": {**NOTHING, "changed": True}}) == ["enrollment: role mfa would change something"]


@pytest.mark.parametrize("result", [{"failed": True, "msg": "no"}, {"unreachable": True, "msg": "no"}])
def test_what_could_not_be_compared_is_told(result):
    assert evidence(result) == ["not all could be compared with what role mfa would write: no"]


def test_what_was_compared_before_an_error_is_told():
    result = {"failed": True, "msg": "no", "programs": {"changed": True, "paths": ["/usr/local/bin/mfa-enroll"]}}
    assert evidence(result)[1:] == ["/usr/local/bin/mfa-enroll: role mfa would write something else"]


@pytest.mark.parametrize("result", [None, "text", 1, {"failed": True}])
def test_no_answer_is_no_agreement(result):
    assert len(evidence(result)) == 1 and evidence(result)[0].startswith("not all could be compared")


def test_a_host_that_the_role_would_remove_everything_from():
    assert evidence({"skipped": True, "changed": False}) == []


def test_what_a_host_says_is_no_secret_and_one_line():
    (text,) = evidence({"failed": True, "msg": f"bad \x1b[31m\n{SECRET}"})
    assert SECRET not in text and text.isprintable()
