# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""checks/fleet_checks.py as people run it, through testinfra's ansible backend, from an installed collection."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.catalogue import kinds
from ansible_collections.fleetmfa.ssh.tests.support.audited_fleet import evidence, finding
from ansible_collections.fleetmfa.ssh.tests.support.stand_in_audit import hosts_with, stand_in_collection

ROOT = Path(__file__).parents[3]
OF_HOSTS = {f"test_finding[{name}]" for name, kind in kinds().items() if kind.by == "host"}
AWAY = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}


@pytest.fixture(scope="module")
def collections(tmp_path_factory):
    return stand_in_collection(tmp_path_factory.mktemp("collections"))


def run_checks(folder, collections, hosts, pattern="ansible://all", **settings):
    """The cases that did not pass, by host, with what they say; and the exit code."""
    inventory = {"all": {"hosts": hosts, "vars": {"ansible_become": False}}}
    (folder / "inventory.yml").write_text(yaml.safe_dump(inventory))
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment.update(ANSIBLE_COLLECTIONS_PATH=str(collections), ANSIBLE_NOCOLOR="1")
    environment.update({f"FLEETMFA_{name.upper()}": value for name, value in settings.items()})
    path = collections / "ansible_collections/fleetmfa/ssh/checks/fleet_checks.py"
    options = [f"--hosts={pattern}", "--ansible-inventory=inventory.yml", "--junit-xml=junit.xml", "-pno:cacheprovider"]
    command = [sys.executable, "-m", "pytest", *options, str(path)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=environment)
    if not (folder / "junit.xml").exists():
        return done.returncode, {}, done.stdout + done.stderr
    cases = list(ElementTree.parse(folder / "junit.xml").iter("testcase"))  # noqa: S314
    told = {case.get("name"): case[0] for case in cases if len(case) and case[0].tag in ("failure", "error")}
    return done.returncode, {name: f"{one.get('message')}\n{one.text}" for name, one in told.items()}, cases


def named(cases, host):
    return {
        case.get("name").replace(f"ansible://{host}-", "") for case in cases if f"ansible://{host}" in case.get("name")
    }


def test_a_case_for_each_host_and_finding(collections, tmp_path):
    faulty = evidence(findings=[finding("sshd_any_method", "alice: any"), finding("recovery_codes_in_clear", "x")])
    hosts = hosts_with({"web1": faulty, "web2": evidence(findings=[])}, tmp_path)
    code, told, cases = run_checks(tmp_path, collections, hosts)
    assert code == 1 and list(told) == ["test_finding[ansible://web1-sshd_any_method]"], told
    text = told["test_finding[ansible://web1-sshd_any_method]"]
    assert "critical sshd_any_method on web1" in text and "alice: any" in text
    assert "Remedy: Set AuthenticationMethods for the enforced group" in text
    assert len(OF_HOSTS) > 50
    for host in ("web1", "web2"):
        assert named(cases, host) >= OF_HOSTS


def test_a_lower_severity_and_an_id_that_is_not_known(collections, tmp_path):
    new = {"id": "of_tomorrow", "severity": "medium", "message": "x", "evidence": ["it"], "remedy": "y"}
    hosts = hosts_with({"web1": evidence(findings=[new])}, tmp_path)
    code, told, _cases = run_checks(tmp_path, collections, hosts)
    assert code == 0 and told == {}
    code, told, _cases = run_checks(tmp_path, collections, hosts, fail_on="low")
    assert code == 1 and ["of_tomorrow" in text for text in told.values()] == [True]


WAIVER = "- {finding: key_weak, host: 'web*', user: bob, reason: ticket 7, owner: eve, until: %s}"


def test_a_waiver_accepts_what_it_names_until_its_last_day(collections, tmp_path):
    """Not the same of another user or of another host; and one that has expired fails a case of its own."""
    both = [finding("key_weak", "bob: 64 bits", "ann: 64 bits")]
    only = [finding("key_weak", "bob: 64 bits")]
    reports = {"web1": evidence(findings=both), "web2": evidence(findings=only), "db1": evidence(findings=only)}
    hosts = hosts_with(reports, tmp_path)
    (tmp_path / "waivers.yml").write_text(WAIVER % "2999-01-31")
    code, told, _cases = run_checks(tmp_path, collections, hosts, waivers="waivers.yml", fail_on="low")
    assert set(told) == {"test_finding[ansible://web1-key_weak]", "test_finding[ansible://db1-key_weak]"} and code == 1
    text = told["test_finding[ansible://web1-key_weak]"]
    assert "ann: 64 bits" in text and "bob" not in text
    (tmp_path / "waivers.yml").write_text(WAIVER % "2026-01-31")
    code, told, _cases = run_checks(tmp_path, collections, hosts, waivers="waivers.yml", fail_on="low")
    assert {"test_no_waiver_has_expired", "test_finding[ansible://web2-key_weak]"} <= set(told) and code == 1
    assert "entry 1: key_weak of bob on web*" in told["test_no_waiver_has_expired"]


def test_a_wrong_file_of_waivers(collections, tmp_path):
    (tmp_path / "waivers.yml").write_text(WAIVER % "tomorrow")
    code, told, output = run_checks(tmp_path, collections, {"web1": AWAY}, waivers="waivers.yml")
    assert code != 0 and "waivers.yml, entry 1: until: must be a date" in str(output) + str(told)


def test_a_host_of_which_nothing_is_known(collections, tmp_path):
    """Each case fails: one that passed would say that the host has not got the finding."""
    hosts = {**hosts_with({"web1": {"no": "evidence"}}, tmp_path), "db9": AWAY}
    code, told, cases = run_checks(tmp_path, collections, hosts)
    assert code == 1
    assert set(told) >= {case.get("name") for case in cases if "test_finding[" in case.get("name")}
    assert all("was not audited, so nothing is known of it" in text for text in told.values())
    assert any("unreachable" in text.lower() for name, text in told.items() if "db9" in name)


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("ansible://nobody", "matches no host of the inventory, so nothing was compared"),
        ("local://", "give the hosts as --hosts=ansible://PATTERN"),
    ],
)
def test_nothing_compared(collections, tmp_path, pattern, told):
    code, found, _cases = run_checks(tmp_path, collections, {"web1": AWAY}, pattern)
    assert code == 1 and any(told in text for text in found.values()), found


def test_a_wrong_severity(collections, tmp_path):
    code, _told, output = run_checks(tmp_path, collections, {"web1": AWAY}, fail_on="severe")
    assert code != 0 and "FLEETMFA_FAIL_ON: must be one of critical, high, medium, low" in str(output) + str(_told)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, as on a host")
def test_this_machine(tmp_path):
    """With the module itself: what fails is what it has found."""
    collections = ROOT / ".ansible/collections"
    hosts = {"here": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}}
    code, told, cases = run_checks(tmp_path, collections, hosts, fail_on="low")
    assert named(cases, "here") >= OF_HOSTS
    assert not any("was not audited" in text for text in told.values()), told
    command = ["ansible", "-i", "inventory.yml", "-m", "fleetmfa.ssh.host_audit_info", "here", "-o"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    reported = {name for name in kinds() if f'"id": "{name}"' in done.stdout}
    assert reported and {name.partition("here-")[2].rstrip("]") for name in told} == reported and code == 1
