# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""catalogue.yml against the code, in both directions: no finding without controls, no control about a finding that is not there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from ansible_collections.fleetmfa.ssh.plugins.module_utils._findings import CATALOGUE, SEVERITIES
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.catalogue import DATA, controls, kinds

ROOT = Path(__file__).parents[5]
ENTRIES = yaml.safe_load(DATA.read_text())
CODE = [path for path in (ROOT / "plugins").rglob("*.py") if path.name != "_findings.py"]


def test_the_same_findings_as_in_the_code():
    assert set(kinds()) == set(CATALOGUE) and len(kinds()) > 50


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_a_finding_has_severity_title_remedy_and_its_controls(name):
    kind = kinds()[name]
    assert kind.severity in SEVERITIES and kind.remedy and kind.title and "\n" not in kind.title
    assert bool(kind.controls) != bool(ENTRIES["findings"][name].get("no_control")), "controls, or no_control: true"
    assert kind.by in ("host", "fleet", "login", "other")


def test_every_finding_that_the_code_makes_is_in_the_catalogue():
    made = {name for path in CODE for name in re.findall(r"\b[Ff]o?u?inding\(\s*\"(\w+)\"", path.read_text())}
    made |= {name for path in CODE for name in re.findall(r"\bfound\(\s*\"(\w+)\"", path.read_text())}
    assert {"host_clock_off", "host_not_reached", "key_missing"} <= made
    assert made <= set(CATALOGUE)


def test_every_finding_of_a_control_is_in_the_catalogue():
    named = {name for control in controls() for name in control.findings}
    assert len(controls()) == 64 and len(named) > 20
    assert named <= set(CATALOGUE)
    used = {name for framework in ENTRIES["controls"].values() for one in framework for name in one.get("findings", ())}
    assert {name[1:] for name in used if name.startswith("@")} == set(ENTRIES["sets"])


@pytest.mark.parametrize("control", controls(), ids=lambda control: control.name)
def test_a_control_says_where_it_is_from_and_can_be_judged(control):
    assert control.verified in ("secondary", "no") and control.source and control.evidence
    assert control.findings or control.coverage or control.gap or control.not_judged
    assert control.coverage in ("", "all", "admins")


def test_every_control_of_a_framework_is_listed_once():
    names = [control.name for control in controls()]
    assert len(set(names)) == len(names)
    assert set(ENTRIES["frameworks"]) == set(ENTRIES["controls"])


def test_where_everybody_must_be_asked_the_weaker_rule_is_told():
    about_people = [control for control in controls() if control.coverage]
    assert len(about_people) > 15
    assert not [control.name for control in about_people if "pending" not in control.weaker]
