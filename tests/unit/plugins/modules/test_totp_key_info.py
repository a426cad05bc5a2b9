# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors

from __future__ import annotations

import datetime
import os
import re
import subprocess
import time
from pathlib import Path

import pytest

from ansible_collections.fleetmfa.ssh.tests.support.work import calls_made

OLD, NEW = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", "KRUGKIDROVUWG2ZAKRUGKIDROVUWG2ZA"


def info(host, user=None, **options):
    before = host.snapshot()
    result = host.run("totp_key_info", users=[user] if user else None, **options)
    assert host.snapshot() == before
    assert not result.get("failed"), result
    return result["users"][0] if user else result["users"]


def test_no_key(host):
    assert info(host, "alice") == {
        "user": "alice", "account_exists": True, "state": "none", "enforced": False, "exempt": False, "since": None,
        "status": "not_provisioned", "revoked": False, "enrollment_deadline": None,
        "last_mfa_login": None, "recovery_codes_left": 0, "clock_drift_seconds": None, "rate_limited": False,
        "rate_limited_until": None, "validation_refused_until": None, "rotation_pending": False, "problems": [],
        "differs": [], "pending_origin": None, "second_device": None, "devices": [], "wrong_tokens": 0, "locked": False,
        "locked_until": None, "suspended": False, "exempt_until": None,
    }  # fmt: skip


def test_pending_and_validated(host):
    host.totp_key({"user": "alice"}, {"user": "bob", "secret": OLD, "state": "validated"}, exempt_users=["carol"])
    host.totp_key({"user": "bob", "secret": NEW})
    users = {one["user"]: one for one in info(host, exempt_users=["carol"])}
    assert set(users) == {"alice", "bob", "carol"}
    assert (users["alice"]["state"], users["alice"]["enforced"]) == ("pending", False)
    assert (users["bob"]["state"], users["bob"]["enforced"], users["bob"]["rotation_pending"]) == (
        "validated",
        True,
        True,
    )
    assert (users["carol"]["state"], users["carol"]["exempt"]) == ("none", True)
    since = time.mktime(time.strptime(users["alice"]["since"], "%Y-%m-%dT%H:%M:%SZ")) - time.timezone
    assert abs(since - time.time()) < 60


def test_the_origin_of_a_pending_key(host):
    host.totp_key({"user": "alice"}, {"user": "bob", "secret": OLD})
    assert (info(host, "alice")["pending_origin"], info(host, "bob")["pending_origin"]) == ("host", "operator")
    path = host.path / "pending" / "bob"
    path.write_text(path.read_text().replace('"origin": "operator", ', ""))
    after = info(host, "bob")
    assert (
        after["pending_origin"] is None
        and "pending/bob: it is not known who else has this key" in after["problems"][0]["evidence"][0]
    )
    host.totp_key({"user": "bob", "secret": OLD})
    assert info(host, "bob")["problems"] == []


def test_after_logins(host, pam_login):
    wish = {"user": "alice", "secret": OLD, "state": "validated", "recovery_codes": ["10000001", "20000002"]}
    host.totp_key(wish, rate_limit_attempts=2, rate_limit_seconds=600)
    assert info(host, "alice")["last_mfa_login"] is None
    assert pam_login("alice", host.token(OLD, time.time()))
    after = info(host, "alice")
    assert after["last_mfa_login"] is not None
    assert not after["rate_limited"]
    assert pam_login("alice", "10000001")
    after = info(host, "alice")
    assert (after["recovery_codes_left"], after["rate_limited"]) == (1, True)
    assert after["rate_limited_until"]
    assert not pam_login("alice", "20000002")


@pytest.mark.parametrize("option", ["period", "window", "rate_limit_attempts", "rate_limit_seconds"])
def test_what_no_key_can_have_is_refused(host, option):
    assert f"{option}: 0 is not in the range" in host.run("totp_key_info", **{option: 0})["msg"]


def test_differs(host):
    host.totp_key({"user": "alice"}, issuer="Corp", window=5)
    expected = {"issuer": "SSH", "period": 30, "window": 3, "rate_limit_attempts": 4, "rate_limit_seconds": 30}
    assert info(host, "alice", **expected)["differs"] == ["issuer", "rate_limit_attempts", "window"]
    assert info(host, "alice", issuer="Corp")["differs"] == []


def test_problems(host, tmp_path):
    host.totp_key({"user": "alice", "secret": OLD, "state": "validated"}, {"user": "bob"})
    path = host.path / "keys" / "alice"
    path.write_text(path.read_text().replace('" TOTP_AUTH', '"TOTP_AUTH'))
    path.chmod(0o644)
    (host.path / "keys" / "bob").symlink_to(tmp_path)
    subprocess.run(["gpasswd", "-a", "carol", "mfa-enforced"], check=True, capture_output=True)
    problems = {one["user"]: {found["id"]: found for found in one["problems"]} for one in info(host)}
    assert list(problems["alice"]) == ["key_unreadable", "key_dead", "key_malformed"]  # the gravest first
    evidence = {name: "; ".join(found["evidence"]) for name, found in problems["alice"].items()}
    assert "0600" in evidence["key_unreadable"] and "keys/alice: the line" in evidence["key_dead"]
    assert "TOTP_AUTH" in evidence["key_dead"] and "ignores this line" in evidence["key_malformed"]
    assert "symbolic link" in str(problems["bob"]["key_unreadable"]["evidence"])
    assert "every login is denied" in str(problems["carol"]["key_missing"]["evidence"])
    assert problems["alice"]["key_dead"]["severity"] == "critical" and problems["alice"]["key_dead"]["remedy"]
    assert OLD not in str(problems)


def test_status(host, render):
    keys = [{"user": user, "secret": OLD, "state": "validated"} for user in ("alice", "bob")]
    host.totp_key(*keys, {"user": "carol", "secret": OLD})
    (host.path / "keys" / "alice").chmod(0o644)
    subprocess.run(["gpasswd", "-d", "bob", "mfa-enforced"], check=True, capture_output=True)
    assert statuses(host) == {"alice": "denied", "bob": "not_asked", "carol": "pending"}
    Path("/etc/fleetmfa").mkdir()
    Path("/etc/fleetmfa/policy.conf").write_text(Path(render()).read_text())
    deadline = datetime.date.today() + datetime.timedelta(days=7)
    assert info(host, "carol")["enrollment_deadline"] == deadline.isoformat()
    path = host.path / "pending" / "carol"
    path.write_text(re.sub(r'"since": \d+', '"since": 1577880000', path.read_text()))
    assert statuses(host) == {"alice": "denied", "bob": "not_asked", "carol": "overdue"}
    assert info(host, "carol", exempt_users=["carol"])["status"] == "exempt"


def test_the_last_day_of_an_exemption(host):
    """Of all entries that name the user, the last; none if one has no end, or none counts today."""
    today = datetime.date.today()
    soon, later, past = ((today + datetime.timedelta(days=days)).isoformat() for days in (1, 9, -1))

    def until(*users, groups=()):
        return info(host, "alice", exempt_users=list(users), exempt_groups=list(groups))["exempt_until"]

    def entry(name, day):
        return {"name": name, "until": day}

    assert until(entry("alice", soon)) == soon and until(entry("bob", soon)) is None
    assert until(entry("alice", soon), groups=[entry("alice", later)]) == later
    assert until(entry("alice", soon), groups=["alice"]) is None and until("alice") is None
    assert until(entry("alice", past)) is None


def statuses(host):
    return {one["user"]: one["status"] for one in info(host)}


def test_what_the_guard_has_recorded(host):
    host.totp_key({"user": "alice", "secret": OLD, "state": "validated"})
    (host.path / "guard" / "alice").write_text("last_login 1790000000\nclaimed 1\n")
    assert info(host, "alice")["last_mfa_login"] == "2026-09-21T14:13:20Z"
    path, content = host.path / "keys" / "alice", (host.path / "keys" / "alice").read_text()
    for later, expected in ((1, "2026-09-21T14:13:20Z"), (9, "2026-09-21T14:17:30Z")):  # 9: the guard was turned off
        step = 1790000000 // 30 + later
        path.write_text(content.replace('" DISALLOW_REUSE', f'" DISALLOW_REUSE {step}'))
        assert info(host, "alice")["last_mfa_login"] == expected


def test_last_sync(host):
    assert host.run("totp_key_info")["last_sync"] is None
    host.totp_key({"user": "alice"})
    host.state_dir.record_sync()
    before = host.snapshot()
    host.state_dir.record_sync()
    assert host.snapshot() == before
    os.utime(host.path / "synced", (1790000000, 1790000000))
    assert host.run("totp_key_info")["last_sync"] == "2026-09-21T14:13:20Z"


def test_a_key_whose_account_is_gone(host):
    host.totp_key({"user": "alice"})
    host.accounts.remove("alice")
    assert {one["user"]: one["account_exists"] for one in info(host)}["alice"] is False


def test_no_state_directory(host):
    assert [one["state"] for one in info(host)] == ["none"] * 3
    assert not host.path.exists()


def test_work_does_not_multiply_with_users(host):
    names = [f"user{number}" for number in range(400)]
    host.accounts.add(*names)
    host.totp_key(*({"user": name, "secret": OLD, "state": "validated"} for name in names))
    few = calls_made(lambda: host.run("totp_key_info", users=names[:40], exempt_groups=["alice"]))
    assert calls_made(lambda: info(host, exempt_groups=["alice"])) < 20 * few
    assert len(info(host)) == 403
    assert len(os.listdir(Path(host.path, "keys"))) == 400
