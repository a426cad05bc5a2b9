# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""host_audit_info as Ansible calls it: for each finding that only it has, a host that has it and one that has not."""

from __future__ import annotations

import datetime
import json
import os
import shutil
import time
from pathlib import Path

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit import doors, pam_doors, users
from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit.listeners import Listener
from ansible_collections.fleetmfa.ssh.plugins.module_utils._findings_audit import OF_AUDIT
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.ids import key_id
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system import commands
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import SECURITY_KEY_GROUP
from ansible_collections.fleetmfa.ssh.tests.support.audited_host import (
    SECRET,
    SUDOERS,
    UNTOUCHED,
    AuditedHost,
    evidence_of,
)
from ansible_collections.fleetmfa.ssh.tests.support.penalised_sshd import penalise
from ansible_collections.fleetmfa.ssh.tests.support.sshd_host import DEBIAN, GROUP, needs_sshd

pytestmark = needs_sshd
CODES = ["12345678", "23456789"]


@pytest.fixture
def host(accounts, tmp_path, monkeypatch, run_module):
    return AuditedHost(accounts, tmp_path, monkeypatch, run_module)


def ids(found):
    return {finding["id"] for finding in found["findings"]} & set(OF_AUDIT)


def logged(times, message, process=1):
    when = time.strftime("%b %e %H:%M:%S", time.localtime(time.time() - 60))
    return f"{when} host sshd[{process}]: {message}\n" * times


def test_sound_host_has_none_of_them(host):
    before = host.everything()
    found = host.audit()
    assert ids(found) == set()
    assert host.everything() == before
    assert found["schema"] == 1 and found["mfa"]["managed"] and found["drift"] == []
    assert [(door["name"], door["state"]) for door in found["doors"]] == [("sshd", "covered")]
    (alice,) = [row for row in found["users"] if row["user"] == "alice"]
    assert (alice["state"], alice["devices"], alice["recovery_codes"], alice["human"]) == ("enforced", 1, 0, True)
    assert alice["since"].endswith("Z") and alice["admin"] == []
    assert found["logs"] == {"days": 7, "source": "file", "events": [], "truncated": False}
    assert abs(found["clock"]["time"] - time.time()) < 600 and found["clock"]["tolerance"] == 30
    assert set(found["versions"]) == {"openssh", "pam", "pam_google_authenticator", "python"}
    assert found["sshd"]["classes"] and found["sshd"]["version"]


def test_users_of_security_keys_are_exempt_with_a_reason(host):
    """An administrator among them is told only where sshd would take less, as here, without the role's lines."""
    host.accounts.add("erin", groups=("sudo", SECURITY_KEY_GROUP))
    host.sudoers("%sudo ALL=(ALL) ALL\n")
    found = host.audit()
    (erin,) = [row for row in found["users"] if row["user"] == "erin"]
    assert erin["state"] == "exempt" and erin["admin"]
    assert [(one["kind"], one["name"], one["reason"], one["approved_by"]) for one in found["exemptions"]] == [
        ("group", SECURITY_KEY_GROUP, "a security key instead of a token", "mfa_security_keys")
    ]
    assert ids(found) == set() and any(
        "erin: " in text for text in evidence_of(found, "sshd_security_key_not_demanded")
    )


def test_tokens_that_let_a_user_in(host):
    """Those burnt without a login are not among them, and the key is not told."""
    path = Path(host.state_dir.path, "keys", "alice")
    steps = range(59_000_000, 59_000_030)
    path.write_text(path.read_text().replace('" DISALLOW_REUSE', f'" DISALLOW_REUSE {" ".join(map(str, steps))}'))
    burnt = host.state_dir.validated("alice").with_burnt([59_000_040])
    path.write_bytes(burnt.render())
    (alice,) = [row for row in host.audit()["users"] if row["user"] == "alice"]
    assert [one["step"] for one in alice["used_tokens"]] == list(steps)[-20:]
    assert {one["key"] for one in alice["used_tokens"]} == {key_id(burnt.secret, 30)}


def test_host_with_what_the_sound_one_has_not(host, render):
    host.accounts.add("dave", "erin", "frank", "gina", "hugo", groups=("sudo",))
    host.accounts.add("ivan")
    host.sudoers(SUDOERS + "%sudo ALL=(ALL) ALL\n+operators ALL=ALL\n")
    for service in ("intranet", "su", "oddapp"):
        host.pam(service, UNTOUCHED)
    host.accounts.add_group(GROUP, ["alice", "frank", "gina", "hugo"])
    host.key("frank")
    host.key("gina", secret=SECRET[:16])
    host.key("hugo", secret=SECRET[::-1], codes=CODES, window=17)
    host.key("ivan", folder="pending", secret=SECRET[::-1])
    Path("/etc/fleetmfa").mkdir()
    shutil.copy(render(mfa_enrollment_start="2020-01-01", mfa_exempt_users=["erin"]), "/etc/fleetmfa/policy.conf")
    ended = {"kind": "user", "name": "ghost", "reason": "a test", "approved_by": "ciso", "until": "2020-01-31"}
    soon = {**ended, "kind": "group", "name": "temps", "until": str(datetime.date.today() + datetime.timedelta(days=1))}
    Path("/etc/fleetmfa/exemptions.json").write_text(json.dumps([ended, soon]))
    Path(host.state_dir.path, "exemptions_kept").write_text('{"ghost": "no SSH key"}')
    pending = host.state_dir.pending("ivan").with_meta(since=1577880000)
    Path(host.state_dir.path, "pending/ivan").write_bytes(pending.render())
    host.clock = {"time": 0.0, "synchronized": False, "service": ""}
    reused = f'Trying to reuse a previously used time-based code. ("{host.state_dir.path}/keys/alice")Retry again in 3 seconds.'
    module = logged(1, reused).replace("sshd[", "sshd(pam_google_auth)[")
    host.log.write_text(logged(50, "Failed keyboard-interactive/pam for alice from 203.0.113.7 port 5 ssh2") + module)
    before = host.everything()
    found = host.audit(services=["intranet"])
    assert host.everything() == before
    says = {
        "user_admin_not_enforced": "dave: sudo group, sudoers: /etc/sudoers:2; has no key",
        "user_admin_exempt": "erin: sudo group, sudoers: /etc/sudoers:2; is exempt",
        "exemption_without_reason": "user erin: no reason and no approver",
        "exemption_ends_soon": "group temps: ends after ",
        "exemption_expired": "user ghost: ended after 2020-01-31, approved by ciso",
        "exemption_not_ended": "ghost stays exempt: no SSH key",
        "user_not_enforced": "ivan: has a key that is not validated",
        "enrollment_overdue": "ivan: the period ended at 2020-01-0",
        "door_not_covered": "intranet: PAM service intranet: /etc/pam.d/intranet:1: pam_unix.so returned success",
        "door_local_not_covered": "su (console): PAM service su: ",
        "door_not_judged": "oddapp: not known whether people log in with PAM service oddapp",
        "key_shared_by_users": "alice, frank",
        "key_short": "gina: 80 bits",
        "window_wide": "hugo: a token is accepted for 510 seconds",
        "recovery_codes_in_clear": "1 user has unspent recovery codes",
        "clock_not_synchronized": "the kernel says",
        "time_service_missing": "neither systemd-timesyncd nor chrony",
        "state_drift": "/usr/local/bin/mfa-enroll: is missing",
        "log_many_refused": "alice: 50 logins refused",
        "log_token_reused": "alice: 1 times",
        "sudoers_not_judged": "/etc/sudoers:3: who is +operators is not judged",
    }
    assert ids(found) == set(says)
    for finding, text in says.items():
        assert any(one.startswith(text) for one in evidence_of(found, finding)), (finding, evidence_of(found, finding))
    assert len(evidence_of(found, "user_admin_not_enforced")) == 1
    assert [text.partition(":")[0] for text in evidence_of(found, "user_not_enforced")] == ["dave", "ivan"]
    text = json.dumps(found)
    assert SECRET not in text and not any(code in text for code in CODES)
    assert all(finding["message"].endswith(".") and finding["remedy"] for finding in found["findings"])
    assert [(one["name"], one["reason"], one["until"], one["ended"], one["kept"]) for one in found["exemptions"]] == [
        ("erin", None, None, False, []),
        ("ghost", "a test", "2020-01-31", True, ["ghost"]),
        ("temps", "a test", soon["until"], False, []),
    ]
    ivan = next(row for row in found["users"] if row["user"] == "ivan")
    assert (ivan["state"], ivan["overdue"], ivan["devices"]) == ("pending", True, 0)
    assert ivan["deadline"].startswith("2020-01-0") and ivan["deadline"].endswith("Z")
    assert found["mfa"]["enrollment"]["days"] == 7


def test_penalties_that_would_shut_out_the_controller(host):
    penalise(host.sshd)
    host.sshd.write("PerSourcePenaltyExemptList 192.0.2.0/24\n" + host.sshd.config.read_text())

    def told(address):
        return evidence_of(host.audit(_connection={"address": address}), "sshd_penalties_not_exempt")

    (text,) = told("198.51.100.1")
    assert text.endswith("192.0.2.0/24: 198.51.100.1, which this run connects from, is not in it")
    assert told("192.0.2.10") == []


def test_host_that_lacks_parts(host):
    """The guard, the account check, a log, sshd."""
    host.pam("sshd", host.token_lines(None) + UNTOUCHED)
    host.log.unlink()
    found = host.audit(binary="/nonexistent/sshd")
    assert {"guard_missing", "account_check_missing", "log_not_read", "audit_incomplete"} <= ids(found)
    assert {"lockout_missing", "failure_cap_missing"} <= ids(found)
    assert "/nonexistent/sshd does not exist" in found["sshd"]["error"]
    assert any(text.startswith("sshd: ") for text in evidence_of(found, "audit_incomplete"))
    assert found["logs"]["source"] == "none"
    (alice,) = [row for row in found["users"] if row["user"] == "alice"]
    assert alice["state"] == "enforced"


def test_keys_are_judged_without_sshd(host):
    Path(host.state_dir.path, "keys/alice").unlink()
    found = host.audit(binary="/nonexistent/sshd")
    assert any("alice" in text for text in evidence_of(found, "key_missing"))


def test_host_that_was_never_touched(host):
    for path in (Path(host.state_dir.path), host.guard.parent, host.sshd.dropins):
        shutil.rmtree(path)
    host.sshd.write(DEBIAN)
    host.pam("sshd", UNTOUCHED)
    host.accounts.add_group(GROUP, [])
    before = host.everything()
    found = host.audit()
    assert host.everything() == before
    assert {"host_without_mfa", "door_not_covered", "user_not_enforced", "user_admin_not_enforced"} <= ids(found)
    assert not found["mfa"]["managed"] and found["drift"] == []
    assert evidence_of(found, "user_admin_not_enforced") == ["root: uid 0, sudoers: /etc/sudoers:1; has no key"]


def test_host_without_nearly_everything(host, monkeypatch):
    """No PAM folder, no sshd, no package manager, no sudo, no systemd: said, and not a reason to stop."""
    shutil.rmtree("/etc/pam.d")
    Path("/etc/sudoers").unlink()
    monkeypatch.setattr(commands, "PATH", "/nonexistent")
    found = host.audit(binary=None)
    assert found["versions"]["pam"] == "" and found["versions"]["openssh"] == ""
    assert any("packages" in text for text in evidence_of(found, "audit_incomplete"))
    assert any(text.startswith("sshd: ") for text in evidence_of(found, "audit_incomplete"))


def test_host_that_has_lost_all_lines(host):
    """The key files and the group are left."""
    shutil.rmtree(host.sshd.dropins)
    host.pam("sshd", UNTOUCHED)
    found = host.audit()
    assert found["mfa"]["managed"]
    assert {row["path"] for row in found["drift"]} == {str(host.sshd.path), "/etc/pam.d"}
    assert "door_not_covered" in ids(found) and "host_without_mfa" not in ids(found)


def test_record_that_cannot_be_read(host):
    """It is said, and keeps nobody out of the table."""
    Path(host.state_dir.path, "guard", "alice").symlink_to("/dev/null")
    found = host.audit()
    told = evidence_of(found, "audit_incomplete")
    assert [text.partition(" ")[0] for text in told] == ["sshd:", "keys:", "user"]
    assert all("guard/alice is a symbolic link" in text for text in told)
    assert next(row["state"] for row in found["users"] if row["user"] == "alice") == "enforced"


def test_broken_policy_is_said(host):
    Path("/etc/fleetmfa").mkdir()
    Path("/etc/fleetmfa/policy.conf").write_text("nonsense\n")
    found = host.audit()
    assert any("policy" in text for text in evidence_of(found, "audit_incomplete"))
    assert any(row["path"] == "/etc/fleetmfa/policy.conf" for row in found["drift"])


def test_part_that_fails_is_said(host, monkeypatch):
    def fail(*_arguments):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(doors.Doors, "all", fail)
    monkeypatch.setattr(users.Users, "rows", fail)
    found = host.audit()
    assert evidence_of(found, "audit_incomplete") == [
        "users: [Errno 5] Input/output error",
        "doors: [Errno 5] Input/output error",
    ]


def test_the_same_programs_however_many_users(host, monkeypatch):
    """No process for each user, and no lookup that reads all accounts for each."""
    started = []
    monkeypatch.setattr(os, "fork", _counted(started, os.fork))
    monkeypatch.setattr(commands.subprocess, "run", _counted(started, commands.subprocess.run))
    host.audit()
    with_one, started[:] = len(started), []
    members = [f"user{number}" for number in range(300)]
    host.accounts.add(*members)
    host.accounts.add_group(GROUP, ["alice", *members])
    for user in members[:20]:
        host.key(user)
    found = host.audit()
    assert len([row for row in found["users"] if row["state"] == "enforced"]) == 301
    assert len(started) <= with_one + 2


def _counted(started, function):
    def call(*arguments, **options):
        started.append(arguments)
        return function(*arguments, **options)

    return call


@pytest.mark.parametrize(
    ("options", "said"),
    [({"log_days": 0}, "log_days: 0 is not in the range 1 to 90"), ({"services": ["../x"]}, "'../x' is not the name")],
)
def test_wrong_options_are_refused(run_module, options, said):
    result = run_module("host_audit_info", **options)
    assert result["failed"] and said in result["msg"]


def test_listeners_are_joined_with_their_service(host, monkeypatch):
    xrdp = Listener("/usr/sbin/xrdp", ("/usr/sbin/xrdp",), 7, ("0.0.0.0:3389",))
    monkeypatch.setattr(doors, "listeners", lambda: [xrdp])
    host.pam("xrdp-sesman", UNTOUCHED)
    found = {(door["kind"], door["name"]): door for door in host.audit()["doors"]}
    assert found["listener", "xrdp"]["state"] == "not_covered"
    assert found["pam_service", "xrdp-sesman"]["where"] == ["0.0.0.0:3389"]
    assert found["pam_service", "xrdp-sesman"]["state"] == pam_doors.NOT_COVERED
