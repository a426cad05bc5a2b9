# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""One audit of hosts with a fault each, hosts that cannot be audited, and hosts without a fault."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess

import pytest
import yaml
from conftest import INVENTORY, SCENARIO, SERVERS, root_of

from lab.logins import login

SOUND, ALSO_SOUND = "debian11-1", "debian11-2"
# What is done to a host, and a finding that names it.
FAULTS = {
    "debian12-1": ("rm /etc/ssh/sshd_config.d/00-fleetmfa.conf && systemctl reload ssh", "sshd_any_method"),
    "debian12-2": (
        "echo UsePAM no >/root/second; /usr/sbin/sshd -o Port=2222 -o PidFile=none -f /root/second",
        "sshd_second_daemon",
    ),
    # And a value that the host itself has nothing to say against.
    "debian12-3": (
        "usermod -aG sudo bob; sed -i 's/^issuer = .*/issuer = Other/' /etc/fleetmfa/policy.conf",
        "user_admin_not_enforced",
    ),
    "debian12-4": ("useradd -o -u $(id -u alice) alias", "uid_shared"),
    "debian13-1": ("chmod 0644 /var/lib/fleetmfa/keys/alice", "key_unreadable"),
    "debian13-2": ("gpasswd -d alice mfa-enforced", "validated_not_member"),
}
ENVIRONMENT = {**os.environ, "ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_NOCOLOR": "1"}
NO_BECOME, NO_PYTHON, AWAY = "debian13-3", "debian13-4", "away"
# Without the guard's records, since a real login makes one.
EVERYTHING = (
    "find /etc /var/lib/fleetmfa /usr/local /run/sshd* -xdev -path /var/lib/fleetmfa/guard -prune -o "
    "-printf '%p %T@ %m %u %s\\n' | sort"
)


@pytest.fixture(scope="module")
def before():
    for name, (fault, _finding) in FAULTS.items():
        root_of(name).run_expect([0], fault)
    root_of(NO_BECOME).run_expect([0], "rm /etc/sudoers.d/ansible")
    return {name: root_of(name).check_output(EVERYTHING) for name in (SOUND, ALSO_SOUND, *FAULTS)}


@pytest.fixture(scope="module")
def run(before, tmp_path_factory):
    folder = tmp_path_factory.mktemp("audit")
    values = yaml.safe_load(INVENTORY.read_text())
    values["all"]["hosts"][NO_PYTHON]["ansible_python_interpreter"] = "/nowhere/python3"
    values["all"]["hosts"][AWAY] = {"ansible_port": 1}
    (folder / "inventory.yml").write_text(yaml.safe_dump(values))
    variables = {
        "mfa_users": ["alice"],
        "mfa_exempt_users": ["ansible"],
        "mfa_audit_with_role": True,
        "mfa_audit_dest": str(folder / "audit"),
        "mfa_audit_known_hosts": values["all"]["vars"]["lab_known_hosts"],
        "mfa_audit_logins": [
            {"user": "alice", "expect": "asked", "key_file": SERVERS[0].key, "hosts": [SOUND, "debian13-2", AWAY]}
        ],
    }
    (folder / "variables.yml").write_text(yaml.safe_dump(variables))
    command = ["ansible-playbook", "-i", str(folder / "inventory.yml"), "-e", f"@{folder / 'variables.yml'}"]
    done = subprocess.run(
        [*command, "fleetmfa.ssh.audit"], capture_output=True, text=True, cwd=SCENARIO, env=ENVIRONMENT, check=False
    )
    return folder / "audit", done


@pytest.fixture(scope="module")
def document(run):
    folder, done = run
    assert (folder / "audit.json").exists(), done.stdout + done.stderr
    return json.loads((folder / "audit.json").read_text())


def found(document, host):
    return {one["id"] for one in document["findings"] if one["host"] == host}


@pytest.mark.parametrize("host", FAULTS)
def test_a_fault_is_found_on_its_host_only(document, host):
    finding = FAULTS[host][1]
    assert [one for one in (SOUND, ALSO_SOUND, *FAULTS) if finding in found(document, one)] == [host], found(
        document, host
    )


def test_what_the_role_would_write(document):
    told = {
        (one["host"], text)
        for one in document["findings"]
        for text in one["evidence"]
        if one["id"] == "state_drift" and "role mfa" in text
    }
    paths = {"debian12-1": "/etc/ssh/sshd_config.d/00-fleetmfa.conf", "debian12-3": "/etc/fleetmfa/policy.conf"}
    differing = {(host, f"{path}: role mfa would write something else") for host, path in paths.items()}
    (refused,) = told - differing
    assert differing <= told
    assert refused[0] == "debian12-2" and "sshd_second_daemon" in refused[1], "a roll-out is refused there"


@pytest.mark.parametrize("host", [SOUND, ALSO_SOUND])
def test_a_host_without_a_fault(document, host):
    severe = [one for one in document["findings"] if one["host"] == host and one["severity"] in ("critical", "high")]
    assert [(one["id"], one["evidence"]) for one in severe] == []


@pytest.mark.parametrize("host", [NO_BECOME, NO_PYTHON, AWAY])
def test_a_host_that_was_not_audited_is_a_finding(document, host):
    assert found(document, host) - {"login_not_judged"} == {"host_not_reached"}


def test_real_logins(document):
    """On debian13-2 alice has left the group, and the account check does not let her in."""
    results = {one["host"]: one["result"] for one in document["logins"]}
    assert results == {SOUND: "asked", "debian13-2": "denied", AWAY: "error"}
    assert "login_not_as_expected" in found(document, "debian13-2") and "login_not_judged" in found(document, AWAY)
    assert not {"login_not_as_expected", "login_not_judged"} & found(document, SOUND)


def test_the_run_fails_and_names_hosts_and_findings(run):
    _folder, done = run
    assert done.returncode != 0
    for host, (_fault, finding) in FAULTS.items():
        assert finding in done.stderr and host in done.stderr


def test_nothing_was_changed(run, before):
    after = {name: root_of(name).check_output(EVERYTHING) for name in before}
    changed = {name: set(after[name].splitlines()) ^ set(before[name].splitlines()) for name in before}
    assert changed == {name: set() for name in before}


def test_no_secret_is_in_a_report(run):
    secret = yaml.safe_load((SCENARIO / "keys.yml").read_text())["mfa_keys"][0]["secret"]
    folder, done = run
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) >= 6
    assert not any(secret.encode() in path.read_bytes() for path in files) and secret not in done.stdout + done.stderr


def test_the_document_carries_its_hash(document):
    told = document.pop("sha256")
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert hashlib.sha256(canonical.encode()).hexdigest() == told


def test_what_the_audit_says_of_alice_is_what_a_login_shows(document):
    states = {
        host["host"]: next(one["state"] for one in host["evidence"]["users"] if one["user"] == "alice")
        for host in document["hosts"]
    }
    assert states[SOUND] == "enforced" and states["debian13-2"] == "validated"
    sound = next(server for server in SERVERS if server.name == SOUND)
    assert login(sound, "alice").asked and not login(sound, "alice").allowed
