# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The evidence document: its schema, its hash, its figures, the fleet's own findings, the controls, and what changed."""

from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.changes import changes
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.document import content, read_document, sealed
from ansible_collections.fleetmfa.ssh.tests.support.audited_fleet import (
    NOW,
    document,
    door,
    evidence,
    finding,
    fleet,
    user,
)

ROOT = Path(__file__).parents[5]
SCHEMA = json.loads((ROOT / "docs/audit.schema.json").read_text())
AWAY = {"unreachable": True, "msg": "no route to host"}


def on(*users, **fields):
    return {"evidence": evidence(users=list(users), **fields)}


def told(made):
    return {(one["id"], one["host"]): one["evidence"] for one in made["findings"]}


def control(made, framework, number):
    return next(one for one in made["controls"] if (one["framework"], one["number"]) == (framework, number))


# Schema and hash


def check(made):
    jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(content(made)))


def test_documents_are_valid():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    made = document(fleet(10, 40, away=1))
    check(made)
    check(document({}))
    nothing = {"time": None, "synchronized": None, "service": None, "tolerance": None}
    unknown = document({"web1": on(sshd={"error": "no sshd"}, clock=nothing)})
    assert not unknown["not_reached"]
    check(unknown)
    check(sealed({**made, "changes": changes(document(fleet(9, 41, seed=2)), made)}))


@pytest.mark.parametrize("name", ["sha256", "findings", "controls", "not_reached"])
def test_the_schema_is_not_content_with_less(name):
    made = document(fleet(2, 3))
    del made[name]
    with pytest.raises(jsonschema.ValidationError):
        check(made)


def test_the_hash_is_of_all_else(tmp_path):
    path = tmp_path / "audit.json"
    made = document(fleet(3, 5))
    path.write_bytes(content(made))
    assert read_document(str(path)) == made
    changed = copy.deepcopy(made)
    changed["hosts"][0]["evidence"]["users"][0]["state"] = "enforced"
    path.write_bytes(content(changed))
    with pytest.raises(FleetMfaError, match="mfa_audit_compare.*was changed since"):
        read_document(str(path))


def test_the_command_of_the_guide_checks_the_hash(tmp_path):
    guide = (ROOT / "docs/audit.md").read_text()
    program = re.search(r"python3 -c '\n(.*?)'", guide, re.DOTALL)[1]
    path = tmp_path / "audit.json"
    made = document(fleet(3, 5))
    for given, expected in ((made, 0), ({**made, "sha256": "0" * 64}, 1), ({**made, "waivers": [1]}, 1)):
        path.write_bytes(content(given))
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert bool(done.returncode) == bool(expected), done.stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no JSON"),
        ("[]", "no evidence document"),
        ('{"kind": "fleetmfa.ssh audit", "schema": 9}', "version of the schema"),
    ],
)
def test_what_is_no_document_is_not_compared(tmp_path, text, message):
    path = tmp_path / "audit.json"
    path.write_text(text)
    with pytest.raises(FleetMfaError, match=message):
        read_document(str(path))


# Findings of the fleet


def test_a_host_that_was_not_reached_is_a_finding():
    made = document({"web1": on(user("alice")), "db9": AWAY})
    assert told(made) == {("host_not_reached", "db9"): ["unreachable: no route to host"]}
    assert made["findings"][0]["severity"] == "high"
    assert made["not_reached"] == [{"host": "db9", "why": "unreachable: no route to host"}]


def test_users_who_differ_between_hosts():
    made = document(
        {
            "web1": on(user("alice"), user("bob", "pending"), user("carol"), user("git", "exempt", human=False)),
            "web2": on(user("alice", "pending"), user("bob", "none"), user("carol"), user("git", human=False)),
            "web3": on(user("alice")),
        }
    )
    assert told(made) == {("user_differs", "(fleet)"): ["alice: enforced on web1, web3; pending on web2"]}


@pytest.mark.parametrize(
    ("off", "tolerance", "expected"),
    [
        (0, None, None),
        (64, None, None),
        (-64, None, None),
        (66, None, "the clock is at least 61 seconds ahead of the controller's"),
        (-66, 90, "the clock is at least 61 seconds behind the controller's"),
        (34, 30, None),
        (
            36,
            30,
            "the clock is at least 31 seconds ahead of the controller's; right tokens are refused from 30 seconds on",
        ),
        (9, 0, None),
        (-11, 0, "the clock is at least 6 seconds behind the controller's; right tokens are refused from 0 seconds on"),
    ],
)
def test_a_clock_that_is_off(off, tolerance, expected):
    """The run began 5 seconds before and ended 5 seconds after."""
    clock = {"time": NOW + off, "synchronized": True, "service": None, "tolerance": tolerance}
    made = document({"web1": on(clock=clock)})
    assert told(made) == ({("host_clock_off", "web1"): [expected]} if expected else {})


def test_a_clock_is_compared_with_the_time_of_its_host():
    """A run on many hosts takes longer than a clock may be off."""
    result = {**on(), "asked": {"began": NOW - 600.0, "ended": NOW - 595.0}}
    text = "the clock is at least 595 seconds ahead of the controller's; right tokens are refused from 30 seconds on"
    made = document({"web1": result, "web2": on()}, start=NOW - 900, end=NOW + 900)
    assert told(made) == {("host_clock_off", "web1"): [text]}


def test_a_token_used_on_two_hosts():
    def used(key, *steps):
        return {"used_tokens": [{"key": key, "step": step} for step in steps]}

    made = document(
        {
            "web1": on(user("alice", **used("a", 6, 7)), user("bob", **used("b", 8)), user("carol", **used("c", 9))),
            "web2": on(
                user("alice", **used("a", 7, 8)), user("bob", **used("b", 9)), user("carol", **used("other", 9))
            ),
        }
    )
    [evidence] = [one for (name, _host), one in told(made).items() if name == "token_used_twice"]
    assert [text.partition(" on ")[0] for text in evidence] == ["alice: time step 7"]


def test_a_finding_keeps_its_severity_and_remedy_whatever_the_host_says():
    downplayed = {**finding("sshd_any_method", "all"), "severity": "low", "remedy": "nothing"}
    unknown = {"id": "new_one", "severity": "medium", "message": "new", "evidence": [], "remedy": "see there"}
    made = document({"web1": on(findings=[downplayed, unknown])})
    assert [(one["id"], one["severity"]) for one in made["findings"]] == [
        ("sshd_any_method", "critical"),
        ("new_one", "medium"),
    ]
    assert made["findings"][0]["remedy"].startswith("Set AuthenticationMethods")
    assert made["catalogue"]["new_one"] == {"title": "new one", "severity": "medium", "controls": []}


# Figures and controls


def test_figures():
    made = document(
        {
            "web1": on(
                user("alice", admin=["sudo"]),
                user("bob", "pending", overdue=True),
                user("root", "exempt", human=False, admin=["uid 0"]),
            ),
            "web2": on(user("alice"), doors=[door("login", "not_covered"), door("sshd")]),
            "db9": AWAY,
        }
    )
    figures = made["figures"]
    assert figures["hosts"] == {"all": 3, "reached": 2, "not_read": 0, "nobody_enforced": 0, "managed": 2}
    assert (figures["people"], figures["overdue"]) == (2, 1)
    assert figures["accounts"] == {
        "all": 3,
        "coverage_percent": 66.6,
        "enforced": 2,
        "pending": 1,
        "none": 0,
        "validated": 0,
        "exempt": 0,
    }
    assert (figures["admins"]["all"], figures["admins"]["enforced"]) == (2, 1)
    assert (figures["doors"]["not_covered"], figures["events"]["accepted"]) == (1, 42)


def test_almost_all_is_not_100_percent():
    made = document({"web1": on(*(user(f"u{number}") for number in range(1999)), user("last", "none"))})
    assert made["figures"]["accounts"]["coverage_percent"] == 99.9


PCI = "PCI DSS 4.0.1"


def test_controls_are_met_where_nothing_speaks_against_them():
    made = document({"web1": on(user("alice", admin=["sudo"]))})
    for number in ("8.4.1", "8.4.2", "8.4.3", "8.5.1 (1)", "10.6.1"):
        assert control(made, PCI, number)["state"] == "met", number
    assert control(made, PCI, "8.3.4")["state"] == "not_judged"
    assert control(made, "FedRAMP rev5", "IA-02 guidance (2026)")["state"] == "not_met"


@pytest.mark.parametrize(
    ("users", "all_", "admins"),
    [
        ([user("alice", admin=["sudo"]), user("bob", "pending")], "not_met", "met"),
        ([user("alice", "pending", admin=["sudo"]), user("bob")], "not_met", "not_met"),
        ([user("alice", admin=["sudo"]), user("bob", "exempt")], "not_met", "met"),
        ([user("bob")], "met", "not_judged"),
        ([], "not_judged", "not_judged"),
    ],
)
def test_coverage_decides(users, all_, admins):
    made = document({"web1": on(*users)})
    assert control(made, PCI, "8.4.2")["state"] == all_
    assert control(made, PCI, "8.4.1")["state"] == admins
    if all_ == "not_met":
        assert "1 of 2 human accounts are enforced" in control(made, PCI, "8.4.2")["why"][0]


def test_a_finding_decides_and_an_accepted_one_too(tmp_path):
    from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.waivers import read_waivers

    path = tmp_path / "waivers.yml"
    path.write_text("[{finding: sshd_any_method, host: web1, reason: r, owner: o, until: 2027-01-31}]")
    hosts = {"web1": on(user("alice", admin=["sudo"]), findings=[finding("sshd_any_method", "alice: x")])}
    for waivers, why in (((), "1 open"), (read_waivers(str(path)), "1 accepted as a risk")):
        found = control(document(hosts, waivers), PCI, "8.4.1")
        assert found["state"] == "not_met" and found["why"] == [f"sshd_any_method: {why}"]


@pytest.mark.parametrize(
    ("hosts", "why"),
    [
        ({"web1": on(user("alice")), "db9": AWAY}, "1 of 2 hosts were not audited"),
        ({"web1": on(user("alice"), sshd={"error": "no sshd"})}, "the sshd of 1 hosts could not be judged"),
    ],
)
def test_nothing_is_met_as_long_as_a_host_is_missing_or_sshd_was_not_judged(hosts, why):
    made = document(hosts)
    assert {one["state"] for one in made["controls"]} == {"not_met", "not_judged"}
    assert all(why in one["why"] for one in made["controls"])


def test_where_nobody_is_enforced_only_the_clock_can_be_right():
    for users in ([], [user("alice", "validated"), user("root", "exempt", human=False, admin=["uid 0"])]):
        made = document({"web1": on(user("alice", admin=["sudo"])), "bare": on(*users)})
        assert [one["number"] for one in made["controls"] if one["state"] == "met"] == ["10.6.1"]
        assert "on 1 hosts nobody is enforced" in " ".join(control(made, PCI, "8.5.1 (1)")["why"])


# Changes


def test_what_is_new_gone_and_changed():
    before = document(
        {
            "web1": on(
                user("alice"), user("bob", "pending"), findings=[finding("key_weak", "a"), finding("key_dead", "a")]
            ),
            "old": on(user("alice")),
        }
    )
    after = document(
        {
            "web1": on(
                user("alice"),
                user("bob"),
                user("carol", "none"),
                findings=[finding("key_weak", "b"), finding("uid_shared", "a")],
            ),
            "new": on(user("alice")),
        }
    )
    found = changes(before, after)
    names = {word: [one["id"] for one in ones] for word, ones in found["findings"].items()}
    assert names == {"new": ["uid_shared"], "gone": ["key_dead"], "changed": ["key_weak"]}
    assert found["hosts"] == {"new": ["new"], "gone": ["old"]}
    assert found["users"] == [
        {"user": "bob", "before": "pending", "after": "enforced", "hosts": ["web1"]},
        {"user": "carol", "before": "absent", "after": "none", "hosts": ["web1"]},
    ]
    assert found["coverage_percent"]["accounts"] == [66.6, 75.0]
    assert changes(after, after)["findings"] == {"new": [], "gone": [], "changed": []}
