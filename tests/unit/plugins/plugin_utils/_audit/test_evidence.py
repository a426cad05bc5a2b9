# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What hosts say: taken only in its shape, printable, without secrets; who says nothing is named."""

from __future__ import annotations

import copy

import pytest

from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.evidence import host_audit
from ansible_collections.fleetmfa.ssh.tests.support.audited_fleet import door, event, evidence, finding, fleet, user

SECRET, CODE, TOKEN = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", "11112222", "482913"


def why(result):
    audit = host_audit("web1", result)
    assert audit.evidence is None
    return audit.why


def read(**fields):
    audit = host_audit("web1", {"evidence": evidence(**fields)})
    assert audit.evidence is not None, audit.why
    return audit.evidence


def test_evidence_is_taken_as_it_is():
    given = evidence(findings=[finding("key_weak", "alice: no DISALLOW_REUSE")])
    assert host_audit("web1", {"evidence": given}).evidence == given


def test_a_made_up_fleet_has_the_right_shape():
    audits = [host_audit(host, result) for host, result in fleet(10, 30, away=2).items()]
    assert [audit.evidence is None for audit in audits] == [False] * 8 + [True] * 2


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (None, "gave no result"),
        ({"unreachable": True, "msg": "no route\nto host"}, "unreachable: no route to host"),
        ({"failed": True, "msg": "sudo: a password is required"}, "failed: sudo"),
        ({"failed": True}, "failed: no reason given"),
        ({"skipped": True}, "skipped"),
        ({"changed": False}, "evidence: not a dictionary"),
        ({"evidence": {}}, "evidence: schema is missing"),
        ({"failed": True, "msg": f"{SECRET} is wrong"}, "failed: ******** is wrong"),
    ],
)
def test_a_host_without_evidence_says_why(result, expected):
    assert expected in why(result)
    assert SECRET not in why(result)


WRONG = [
    (("schema",), 2, "another version"),
    (("users",), {"alice": 1}, "evidence: users: not a list"),
    (("users", 0, "state"), "unknown", "users, entry 1: state: not one of none, pending"),
    (("users", 0, "user"), None, "users, entry 1: user: not of type str"),
    (("users", 0, "overdue"), "yes", "overdue: not of type bool"),
    (("users", 0, "admin"), "sudo", "admin: not a list"),
    (("doors", 0, "state"), "open", "doors, entry 1: state"),
    (("sshd",), {}, "sshd: classes is missing"),
    (("sshd", "classes", 0, "users"), True, "users: not of type int"),
    (("clock", "time"), "now", "clock: time"),
    (("logs", "events", 0, "count"), "7", "count: not of type int"),
    (("mfa", "enrollment"), [], "enrollment: not a dictionary"),
]


@pytest.mark.parametrize(("path", "value", "expected"), WRONG, ids=lambda value: str(value)[:40])
def test_evidence_of_another_shape_is_refused(path, value, expected):
    given = copy.deepcopy(evidence())
    place = given
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    assert expected in why({"evidence": given})
    assert "now" not in why({"evidence": given}) and "7" not in why({"evidence": given})


def test_sshd_may_be_not_judged_and_more_fields_are_kept():
    assert read(sshd={"error": "no sshd"})["sshd"] == {"error": "no sshd"}
    assert read(newer={"field": [1]})["newer"] == {"field": [1]}


@pytest.mark.parametrize(
    "planted",
    [SECRET, SECRET.lower(), f"otpauth://totp/SSH:alice?secret={SECRET}", "JBSW Y3DP EHPK 3PXP JBSW Y3DP EHPK 3PXP"],
)
def test_no_secret_is_taken_over_from_anywhere(planted):
    found = read(
        findings=[finding("key_weak", f"alice: {planted} is short")],
        drift=[{"path": "/etc/fleetmfa/policy.conf", "problem": f"line 3: {planted}"}],
        doors=[door("login", "not_covered", planted)],
        sshd={"error": planted},
        users=[user("alice", admin=[planted], note={planted: 1})],
        logs={"days": 30, "source": planted, "truncated": False, "events": [event("refused", planted, planted)]},
    )
    assert planted not in str(found) and SECRET[:16] not in str(found).upper().replace(" ", "")


def test_what_was_typed_as_a_name_is_not_repeated():
    typed = [event("refused", name, count=2) for name in (TOKEN, CODE, "Tr0ub4dor&3", None, "alice")]
    events = read(logs={"days": 30, "source": "journal", "truncated": False, "events": typed})["logs"]["events"]
    assert [(one["user"], one["count"]) for one in events] == [("(other)", 6), (None, 2), ("alice", 2)]


def test_a_name_of_digits_is_a_name():
    assert read(users=[user("482913")])["users"][0]["user"] == "482913"
    assert read(drift=[{"path": "482913", "problem": ""}])["drift"][0]["path"] == "********"


def test_texts_are_on_one_line_and_printable():
    told = read(drift=[{"path": "/etc/x\x1b[2J\nDone: \u202eevil\ud800", "problem": "x" * 5000}])["drift"][0]
    assert told["path"] == "/etc/x?[2J Done: ?evil?" and len(told["problem"]) < 2100
