# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Real logins in the document and its reports, from rows of ssh_login_probe."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import jsonschema
import pytest
from lxml import etree

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.document import content
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.junit import junit_xml
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.logins import read_logins
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.report_html import report_html
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.waivers import Waiver
from ansible_collections.fleetmfa.ssh.tests.support.audited_fleet import document, evidence, login_row, user

SCHEMA = json.loads((Path(__file__).parents[5] / "docs/audit.schema.json").read_text())
ROWS = [
    login_row("canary", "asked", "asked"),
    login_row("alice", "asked", "not_asked"),
    login_row("leaver", "denied", "error", host="bastion.example.com", reason="the host key is unknown"),
]
LOGIN_FINDINGS = {"login_not_as_expected", "login_not_judged"}


def made(*rows, **options):
    return document({"web1": {"evidence": evidence(users=[user("alice")])}}, logins=rows, **options)


def told(one):
    return {
        (found["id"], found["host"]): found["evidence"] for found in one["findings"] if found["id"] in LOGIN_FINDINGS
    }


def observed(one):
    return next(control for control in one["controls"] if control["number"] == "8.5.1 (4)")


def test_what_was_not_as_expected_is_a_finding():
    assert told(made(*ROWS)) == {
        ("login_not_as_expected", "web1"): ["alice: expected asked, was not asked"],
        ("login_not_judged", "bastion.example.com"): [
            "leaver: expected denied, was not judged (the host key is unknown)"
        ],
    }
    assert told(made(ROWS[0])) == told(made()) == {}


def test_the_document_is_valid_and_counts_them():
    one = made(*ROWS)
    jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(content(one)))
    counts = {"all": 3, "as_expected": 1, "asked": 1, "not_asked": 1, "denied": 0, "error": 1}
    assert one["figures"]["logins"] == counts


@pytest.mark.parametrize(
    ("rows", "judged"), [([], False), ([login_row("a", "denied", "denied")], False), (ROWS[:1], True)]
)
def test_a_control_that_asks_to_observe_a_login(rows, judged):
    why = " ".join(observed(made(*rows))["why"])
    assert ("no login was observed" in why) is not judged


def test_a_login_that_was_not_asked_speaks_against_the_control():
    assert observed(made(*ROWS))["state"] == "not_met"


def test_a_waiver_for_one_user():
    waiver = Waiver(1, "login_not_as_expected", "web1", "alice", "ticket 7", "eve", datetime.date(2999, 1, 1))
    accepted = [one for one in made(*ROWS, waivers=[waiver])["findings"] if one["id"] == "login_not_as_expected"]
    assert [bool(one["accepted"]) for one in accepted] == [True]


def test_junit_has_a_case_only_where_a_login_was_made():
    tree = etree.fromstring(junit_xml(made(*ROWS)))
    cases = {
        suite.get("name"): {case.get("name"): [tag.tag for tag in case] for case in suite.iter("testcase")}
        for suite in tree
    }
    assert cases["web1"]["login_not_as_expected"] == ["failure"] and cases["web1"]["login_not_judged"] == []
    assert cases["bastion.example.com"] == {"login_not_as_expected": [], "login_not_judged": ["failure"]}
    without = etree.fromstring(junit_xml(made()))
    assert not LOGIN_FINDINGS & {case.get("name") for case in without.iter("testcase")}


def test_the_page():
    page = report_html(made(*ROWS)).decode()
    assert "1 of 3 were as expected" in page and "keyboard-interactive: stopped" in page
    assert page.index(">alice</th><td>web1") < page.index(">canary</th>")
    assert "None was made" in report_html(made()).decode()


def test_texts_of_hosts_cannot_do_harm():
    prompt = "\x1b[2J<script>"
    row = login_row("alice", "asked", "error", reason=f"an unknown prompt: {prompt}")
    [login] = read_logins([{**row, "steps": [{**row["steps"][0], "prompts": [prompt]}]}])
    assert "\x1b" not in json.dumps(login)
    assert "<script>" not in report_html(made(row)).decode()


@pytest.mark.parametrize("rows", [{}, [{}], [{**ROWS[0], "steps": "x"}], ["JBSWY3DPEHPK3PXP"]])
def test_other_rows_are_refused(rows):
    with pytest.raises(FleetMfaError, match="^logins") as error:
        read_logins(rows)
    assert "JBSWY" not in str(error.value)
