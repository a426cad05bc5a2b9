# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Action audit_report as Ansible runs it, with generated evidence as what each host has returned, and one host that is away."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ansible_collections.fleetmfa.ssh.tests.support.audited_fleet import event, evidence, finding, user

ROOT = Path(__file__).parents[4]
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
FILES = ["audit.json", "findings.csv", "junit.xml", "report.html", "report.sarif", "users.csv"]
PLAY = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.ping:
      register: pinged
      ignore_unreachable: true
    - fleetmfa.ssh.audit_report:
      args: "{{ {'registered': 'found', 'dest': dest} | combine(item) }}"
      loop: "{{ calls }}"
      run_once: true
"""


class Audit:
    """Hosts on this machine; the last one is away, if it is wanted, and has no result."""

    def __init__(self, folder):
        self.folder, self.dest = folder, folder / "reports"

    def run(self, results, *options, away=False, calls=None, **given):
        """One call with the options `given`, or several."""
        clock = {"time": None, "synchronized": True, "service": None, "tolerance": None}
        hosts = {
            host: {"found": {"evidence": {"clock": clock, **one}}, "ansible_connection": "local"}
            for host, one in results.items()
        }
        if away:
            hosts["db9"] = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}
        common = {"ansible_python_interpreter": sys.executable, "dest": str(self.dest), "calls": calls or [given]}
        (self.folder / "inventory.yml").write_text(yaml.safe_dump({"all": {"hosts": hosts, "vars": common}}))
        (self.folder / "play.yml").write_text(PLAY)
        command = [
            "ansible-playbook",
            "-i",
            str(self.folder / "inventory.yml"),
            *options,
            str(self.folder / "play.yml"),
        ]
        environment = {**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_INJECT_FACT_VARS": "false"}
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=environment)
        return done.returncode, done.stdout + done.stderr

    @property
    def document(self):
        return json.loads((self.dest / "audit.json").read_text())


@pytest.fixture
def audit(tmp_path):
    return Audit(tmp_path)


def good(**fields):
    return {**evidence(), "clock": {"time": None, "synchronized": True, "service": None, "tolerance": None}, **fields}


def test_reports_of_a_fleet_that_passes(audit):
    code, output = audit.run({"web1": good(), "web2": good()}, "--check")
    assert code == 0, output
    assert "Audit: 2 hosts; 2 of 2 human accounts are enforced; findings: none" in output
    assert sorted(path.name for path in audit.dest.iterdir()) == FILES
    assert {path.stat().st_mode & 0o777 for path in audit.dest.iterdir()} == {0o600}
    assert audit.dest.stat().st_mode & 0o777 == 0o700
    assert audit.document["run"]["by"].count("@") == 1 and audit.document["run"]["tool"]["version"] != "unknown"
    assert audit.document["findings"] == []


def test_the_run_fails_after_the_reports_and_says_what_and_where(audit):
    faulty = good(findings=[finding("sshd_any_method", "alice: any"), finding("sshd_not_reloaded", "x")])
    code, output = audit.run({"web1": faulty, "web2": faulty, "web3": good()}, away=True)
    assert code and sorted(path.name for path in audit.dest.iterdir()) == FILES
    for line in (
        "3 findings at or above high (mfa_audit_fail_on)",
        "critical sshd_any_method on web[1:2]: sshd_any_method",
        "high host_not_reached on db9: A host was not audited",
        f"The reports are in {audit.dest}",
        "4 hosts (1 NOT REACHED)",
    ):
        assert line in output, line
    assert audit.document["not_reached"] == [{"host": "db9", "why": "gave no result; see the errors of the run"}]
    assert [one["id"] for one in audit.document["findings"]].count("sshd_not_reloaded") == 2


def test_the_gate(audit):
    calls = [
        {"fail_on": level, "dest": str(audit.folder / level)} for level in ("none", "critical", "high", "medium", "low")
    ]
    code, output = audit.run({"web1": good(findings=[finding("sshd_not_reloaded", "x")])}, calls=calls)
    assert code and all((audit.folder / call["dest"] / "audit.json").exists() for call in calls)
    failed = [line for line in output.splitlines() if line.startswith("failed: [web1]")]
    assert [
        level for level in ("none", "critical", "high", "medium", "low") if f"above {level} " in "".join(failed)
    ] == ["medium", "low"]
    assert len(failed) == 2


def test_accepted_compared_and_signed(audit, tmp_path):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "key")], check=True)
    (tmp_path / "waivers.yml").write_text(
        "[{finding: sshd_any_method, host: web*, reason: ticket 7, owner: eve, until: 2099-12-31}]"
    )
    assert audit.run({"web1": good()})[0] == 0
    code, output = audit.run(
        {"web1": good(findings=[finding("sshd_any_method", "alice: any")])},
        waivers=str(tmp_path / "waivers.yml"),
        compare=str(audit.dest / "audit.json"),
        sign_key=str(tmp_path / "key"),
        formats=["html"],
    )
    assert code == 0, output
    assert "(1 more accepted)" in output and (audit.dest / "audit.json.sig").exists()
    assert audit.document["changes"]["findings"]["new"] == [{"id": "sshd_any_method", "host": "web1", "accepted": True}]
    assert "Accepted" in (audit.dest / "report.html").read_text()


def test_no_secret_is_printed_or_written(audit):
    planted = [finding("key_weak", f"alice: {SECRET}")]
    events = {"days": 1, "source": "file", "truncated": False, "events": [event("refused", "482913")]}
    code, output = audit.run({"web1": good(findings=planted, logs=events, users=[user("alice", admin=[SECRET])])}, "-v")
    assert code and "key_weak" in output
    for path in audit.dest.iterdir():
        assert SECRET not in path.read_text() and "482913" not in path.read_text(), path
    assert SECRET not in output


def test_a_host_cannot_stop_the_audit_by_what_it_says_at_a_login(audit):
    step = {"method": "keyboard-interactive", "outcome": "failure", "methods": [], "prompts": [f"Your key: {SECRET}"]}
    row = {"host": "web1", "user": "alice", "expected": "asked", "result": "error", "reason": SECRET, "seconds": 1}
    code, output = audit.run({"web1": good()}, logins=[{**row, "steps": [step]}])
    assert code and "high login_not_judged on web1" in output, output
    for path in audit.dest.iterdir():
        assert SECRET not in path.read_text(), path


WRONG = [
    ({"fail_on": "severe"}, "fail_on (mfa_audit_fail_on): must be one of none, low, medium, high, critical"),
    ({"formats": ["html", "pdf"]}, "formats (mfa_audit_formats): must be one of html, csv, junit, sarif"),
    ({"log_days": 0}, "log_days: 0 is not in the range 1 to 90"),
    ({"waivers": "/none.yml"}, "waivers (mfa_audit_waivers): /none.yml: No such file"),
    ({"compare": "/none.json"}, "compare (mfa_audit_compare): /none.json: No such file"),
    ({"sign_key": "/none"}, "sign_key (mfa_audit_sign_key): there is no file /none"),
    ({"dest": ""}, "dest (mfa_audit_dest): is empty"),
    ({"dest": "/proc/none"}, "dest (mfa_audit_dest): /proc/none: "),
    ({"waivers": "otpauth://totp/x"}, "waivers: what looks like a secret stands where none belongs"),
    ({"severity": "high"}, "Unsupported parameters"),
]


def test_wrong_options_are_named(audit):
    code, output = audit.run({"web1": good()}, calls=[given for given, _message in WRONG])
    assert code and [message for _given, message in WRONG if message not in output] == []
    assert output.count("failed: [web1]") == len(WRONG) and not audit.dest.exists()
