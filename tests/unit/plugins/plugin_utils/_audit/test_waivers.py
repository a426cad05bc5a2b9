# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Accepted risks: read strictly, shown as accepted for as long as they are, and a finding themselves after that."""

from __future__ import annotations

import datetime
import re
from pathlib import Path

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.found import FLEET, found
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.waivers import read_waivers, with_waivers

TODAY = datetime.date(2026, 11, 27)
ENTRY = {"finding": "key_weak", "host": "web*", "reason": "ticket 7", "owner": "eve", "until": "2027-01-31"}
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def yaml_of(*entries):
    return (
        "".join("- " + "\n  ".join(f"{name}: {value}" for name, value in one.items()) + "\n" for one in entries) or "[]"
    )


@pytest.fixture
def judge(tmp_path):
    def judge(findings, *entries):
        path = tmp_path / "waivers.yml"
        path.write_text(yaml_of(*(({**ENTRY, **{k: f"'{v}'" for k, v in one.items()}}) for one in entries)))
        judged = with_waivers(findings, read_waivers(str(path)), TODAY)
        return [(one.id, one.host, one.evidence, (one.accepted or {}).get("reason")) for one in judged]

    return judge


def test_a_waiver_accepts_on_hosts_of_its_pattern(judge):
    findings = [found("key_weak", host, ["alice: x"]) for host in ("web1", "db1")]
    assert judge(findings, {}) == [
        ("key_weak", "web1", ("alice: x",), "ticket 7"),
        ("key_weak", "db1", ("alice: x",), None),
    ]


def test_only_its_own_finding(judge):
    assert judge([found("key_dead", "web1", ["a"])], {})[0] == ("key_dead", "web1", ("a",), None)


def test_a_waiver_of_a_user_splits_a_finding(judge):
    texts = [
        "bob: x",
        "/var/lib/fleetmfa/keys/bob: mode 0644",
        "bobby: x",
        "alice, bob: x",
        "bob and alice: x",
        "x of bob",
    ]
    judged = judge([found("key_weak", "web1", texts)], {"user": "bob"})
    assert judged == [
        ("key_weak", "web1", tuple(texts[:2]), "ticket 7"),
        ("key_weak", "web1", tuple(texts[2:]), None),
    ]


def test_the_last_day_counts_and_the_next_does_not(judge):
    findings = [found("key_weak", "web1", ["a"])]
    assert judge(findings, {"until": "2026-11-27"}) == [("key_weak", "web1", ("a",), "ticket 7")]
    open_, expired = judge(findings, {"until": "2026-11-26"})
    assert open_ == ("key_weak", "web1", ("a",), None)
    assert (
        expired[:2] == ("waiver_expired", FLEET)
        and "entry 1: key_weak on web*, owner eve, until 2026-11-26" in expired[2]
    )


def test_an_unused_waiver_is_a_finding(judge):
    assert [one[:2] for one in judge([], {}, {"host": "db*"})] == [("waiver_unused", FLEET)] * 2
    assert [one[0] for one in judge([found("key_weak", "web1", ["a"])], {"user": "bob"})] == [
        "key_weak",
        "waiver_unused",
    ]


def test_findings_of_the_fleet_need_the_pattern_for_all(judge):
    findings = [found("user_differs", FLEET, ["alice: x", "bob: x"])]
    assert judge(findings, {"finding": "user_differs", "host": "(fleet*"})[0][3] is None
    assert judge(findings, {"finding": "user_differs", "host": "*", "user": "bob"})[:2] == [
        ("user_differs", FLEET, ("alice: x",), None),
        ("user_differs", FLEET, ("bob: x",), "ticket 7"),
    ]


def test_a_finding_without_evidence_can_be_accepted(judge):
    assert judge([found("key_weak", "web1", [])], {}) == [("key_weak", "web1", (), "ticket 7")]


BAD = [
    ("{}", "must be a list of waivers"),
    ("[]\n- x: [", "is no YAML file, line 2"),
    ("- key_weak\n", "entry 1: must be a dictionary"),
    (
        yaml_of(ENTRY, {**ENTRY, "finding": "key_week"}),
        "entry 2: finding: there is no such finding; did you mean key_weak?",
    ),
    (yaml_of({**ENTRY, "finding": "waiver_expired"}), "entry 1: finding: a finding about waivers cannot be waived"),
    (yaml_of({**ENTRY, "until": "soon"}), "entry 1: until: must be a date such as 2027-01-31"),
    (yaml_of({**ENTRY, "until": "2027-02-30"}), "entry 1: until: must be a date"),
    (yaml_of({**ENTRY, "until": "2027-01-31 10:00:00"}), "entry 1: until: must be a date"),
    (yaml_of({**ENTRY, "reason": "''"}), "entry 1: reason: is missing"),
    (yaml_of({**ENTRY, "owner": "[eve]"}), "entry 1: owner: must be a string"),
    (yaml_of({**ENTRY, "owner": "{eve: 1}"}), "entry 1: owner: must be a string"),
    (yaml_of({**ENTRY, "until": "[2027]"}), "entry 1: until: must be a date"),
    (yaml_of({**ENTRY, "reason": '"two\\nlines"'}), "entry 1: reason: must be one line"),
    (yaml_of({**ENTRY, "hosts": "web1"}), "entry 1: hosts: there is no such item; a waiver has finding, host"),
    (yaml_of({name: ENTRY[name] for name in ENTRY if name != "host"}), "entry 1: host: is missing"),
    (yaml_of({**ENTRY, "reason": SECRET}), "entry 1: reason: what looks like a secret"),
]


@pytest.mark.parametrize(("text", "message"), BAD)
def test_a_bad_entry_is_named(tmp_path, text, message):
    path = tmp_path / "waivers.yml"
    path.write_text(text)
    with pytest.raises(FleetMfaError) as error:
        read_waivers(str(path))
    assert message in str(error.value) and "mfa_audit_waivers" in str(error.value) and SECRET not in str(error.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FleetMfaError, match="mfa_audit_waivers.*No such file"):
        read_waivers(str(tmp_path / "none.yml"))


def test_the_example_of_the_guide_can_be_read(tmp_path):
    guide = (Path(__file__).parents[5] / "docs/audit.md").read_text()
    path = tmp_path / "waivers.yml"
    path.write_text(re.search(r"^```yaml\n(- finding.*?)^```", guide, re.MULTILINE | re.DOTALL)[1])
    assert [waiver.user for waiver in read_waivers(str(path))] == [None, "bob"]
