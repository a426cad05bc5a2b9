# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors

from __future__ import annotations

import os
import re
import subprocess
import time

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.origin import may_be_shown
from ansible_collections.fleetmfa.ssh.tests.support.work import calls_made

OLD, NEW = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", "KRUGKIDROVUWG2ZAKRUGKIDROVUWG2ZA"


def user(result, name="alice"):
    return next(one for one in result["users"] if one["user"] == name)


def test_a_new_key_is_pending_and_enforces_nobody(host):
    result = host.four_steps("totp_key", keys=[{"user": "alice"}], issuer="Example")
    assert user(result) == {
        "user": "alice", "state": "pending", "rotation_pending": False, "changed": True,
        "enforced": False, "exempt": False, "problems": [],
    }  # fmt: skip
    key = host.state_dir.pending("alice")
    assert (len(key.secret), len(key.recovery_codes), key.issuer, key.account) == (20, 5, "Example", "alice")
    assert host.members() == set()


def test_provisioned_as_validated_is_enforced(host, pam_login):
    result = host.four_steps("totp_key", keys=[{"user": "alice", "secret": OLD, "state": "validated"}])
    assert user(result)["enforced"]
    assert host.members() == {"alice"}
    assert pam_login("alice", host.token(OLD, time.time()))


def test_exempt_users_have_keys_and_are_not_enforced(host):
    host.accounts.add_group("breakglass", ["bob"])
    keys = [{"user": name, "secret": OLD, "state": "validated"} for name in ("alice", "bob", "carol")]
    result = host.four_steps("totp_key", keys=keys, exempt_users=["alice"], exempt_groups=["breakglass", "no-such"])
    assert [one["exempt"] for one in result["users"]] == [True, True, False]
    assert host.members() == {"carol"}
    host.four_steps("totp_key", keys=keys, exempt_users=["alice", "carol"])
    assert host.members() == {"bob"}


def test_members_it_does_not_decide_of_are_left_alone(host):
    host.totp_key({"user": "alice", "secret": OLD, "state": "validated"})
    subprocess.run(["gpasswd", "-a", "carol", "mfa-enforced"], check=True, capture_output=True)
    host.totp_key({"user": "bob", "secret": OLD, "state": "validated"}, other_members="report")
    assert host.members() == {"alice", "bob", "carol"}


@pytest.mark.parametrize(
    ("before", "entry", "keys", "enforced"),
    [
        ("", {"state": "present"}, "p", False),
        ("", {"state": "present", "secret": OLD}, "p", False),
        ("", {"state": "pending"}, "p", False),
        ("", {"state": "rotated"}, "p", False),
        ("", {"state": "validated", "secret": OLD}, "v", True),
        ("", {"state": "absent"}, "", False),
        ("p", {"state": "present"}, "p", False),
        ("p", {"state": "present", "secret": OLD}, "p", False),
        ("p", {"state": "present", "secret": NEW}, "p", False),
        ("p", {"state": "pending"}, "p", False),
        ("p", {"state": "pending", "secret": NEW}, "p", False),
        ("p", {"state": "validated"}, "v", True),
        ("p", {"state": "validated", "secret": OLD}, "v", True),
        ("p", {"state": "validated", "secret": NEW}, "v", True),
        ("p", {"state": "rotated"}, "p", False),
        ("p", {"state": "absent"}, "", False),
        ("v", {"state": "present"}, "v", True),
        ("v", {"state": "present", "secret": OLD}, "v", True),
        ("v", {"state": "present", "secret": NEW}, "pv", True),
        ("v", {"state": "validated"}, "v", True),
        ("v", {"state": "validated", "secret": NEW}, "v", True),
        ("v", {"state": "rotated"}, "pv", True),
        ("v", {"state": "rotated", "secret": OLD}, "v", True),
        ("v", {"state": "rotated", "secret": NEW}, "pv", True),
        ("v", {"state": "absent"}, "", False),
        ("pv", {"state": "present"}, "pv", True),
        ("pv", {"state": "present", "secret": OLD}, "v", True),
        ("pv", {"state": "present", "secret": NEW}, "pv", True),
        ("pv", {"state": "validated"}, "pv", True),
        ("pv", {"state": "validated", "secret": OLD}, "v", True),
        ("pv", {"state": "validated", "secret": NEW}, "v", True),
        ("pv", {"state": "rotated"}, "pv", True),
        ("pv", {"state": "absent"}, "", False),
    ],
)
def test_every_state_from_every_state(host, before, entry, keys, enforced):
    """`p` is a pending key, `v` a validated one; the validated one is OLD, one pending beside it NEW."""
    if "v" in before:
        host.totp_key({"user": "alice", "secret": OLD, "state": "validated"})
    if "p" in before:
        host.totp_key({"user": "alice", "secret": NEW if "v" in before else OLD})
    assert host.keys("alice") == before
    wish = {"user": "alice", **entry}
    predicted = host.totp_key(wish, check=True)
    result = host.totp_key(wish)
    assert predicted == result
    assert (host.keys("alice"), host.members()) == (keys, {"alice"} if enforced else set())
    if "secret" in entry:
        newest = host.state_dir.validated("alice") if entry["state"] == "validated" else host.state_dir.pending("alice")
        assert (newest or host.state_dir.validated("alice")).secret_text == entry["secret"]
    again = host.totp_key(wish)
    assert again["changed"] == (entry == {"state": "rotated"})


def test_present_keeps_what_is_validated_and_its_recovery_codes(host, pam_login):
    wish = {"user": "alice", "secret": OLD, "state": "validated", "recovery_codes": ["10000001", "20000002"]}
    host.totp_key(wish, rate_limit_attempts=100)
    token = host.token(OLD, time.time())
    assert pam_login("alice", token)
    assert pam_login("alice", "10000001")
    for again in (wish, {"user": "alice"}, {"user": "alice", "secret": OLD.lower(), "recovery_codes": ["10000001"]}):
        before = host.snapshot()
        assert not host.totp_key(again, rate_limit_attempts=100)["changed"]
        assert host.snapshot() == before
    assert host.totp_key({"user": "alice"}, rate_limit_attempts=50, window=5)["changed"]
    assert not pam_login("alice", token)
    assert not pam_login("alice", "10000001")
    assert pam_login("alice", "20000002")


def origins(host):
    """Of the pending and the validated key: origin, and whether it was ever validated."""
    keys = host.state_dir.pending("alice"), host.state_dir.validated("alice")
    return [key and (key.origin, key.was_validated) for key in keys]


def test_the_origin_of_a_key(host):
    """The host's own as long as no run gives its secret."""
    host.four_steps("totp_key", keys=[{"user": "alice"}])
    assert origins(host) == [("host", False), None]
    assert may_be_shown(host.state_dir.pending("alice"))
    since = host.state_dir.pending("alice").since
    given = {"user": "alice", "secret": host.state_dir.pending("alice").secret_text}
    result = host.four_steps("totp_key", keys=[given])
    assert result["diff"]["prepared"] == "alice: pending key: origin host -> operator\n"
    assert origins(host) == [("operator", False), None] and host.state_dir.pending("alice").since == since
    assert not host.totp_key({"user": "alice"})["changed"], "once given is given"
    host.totp_key({"user": "alice", "state": "rotated"})
    assert origins(host) == [("host", False), None]


@pytest.mark.parametrize("secret", [{}, {"secret": OLD}])
def test_a_validated_key_is_never_one_to_show_again(host, secret):
    host.totp_key({"user": "alice", **secret})
    origin = origins(host)[0][0]
    host.four_steps("totp_key", keys=[{"user": "alice", "state": "validated"}])
    assert origins(host) == [None, (origin, True)] and not may_be_shown(host.state_dir.validated("alice"))


def without_origin(path):
    """As 0.1.0 wrote it."""
    before = path.read_text()
    path.write_text(re.sub(r'"(origin|machine)": [^,}]+, ', "", before))
    assert path.read_text() != before and "origin" not in path.read_text()


@pytest.mark.parametrize("state", ["present", "pending"])
def test_a_key_of_0_1_0_is_the_operators_when_a_run_gives_it(host, state):
    host.totp_key({"user": "alice", "secret": OLD})
    without_origin(host.path / "pending" / "alice")
    assert not host.totp_key({"user": "alice"})["changed"], "nobody knows whose it is"
    result = host.four_steps("totp_key", keys=[{"user": "alice", "secret": OLD.lower(), "state": state}])
    assert result["diff"]["prepared"] == "alice: pending key: origin unknown -> operator\n"
    assert origins(host) == [("operator", False), None]


def test_rotation_keeps_the_old_key_at_work(host, pam_login):
    host.totp_key({"user": "alice", "secret": OLD, "state": "validated"}, rate_limit_attempts=100)
    result = host.totp_key({"user": "alice", "state": "rotated"}, rate_limit_attempts=100)
    assert user(result)["rotation_pending"]
    assert pam_login("alice", host.token(OLD, time.time()))
    assert not pam_login("alice", host.token(host.state_dir.pending("alice").secret_text, time.time()))


def test_the_period_belongs_to_the_key(host):
    host.totp_key({"user": "alice", "secret": OLD, "state": "validated"}, {"user": "bob"})
    assert not host.totp_key({"user": "alice"}, {"user": "bob"}, period=60)["changed"]
    host.totp_key({"user": "alice", "secret": OLD}, period=60)
    assert (host.state_dir.validated("alice").period, host.state_dir.pending("alice").period) == (30, 60)


def test_human_accounts(host):
    host.accounts.add("nologin", login_shell="/usr/sbin/nologin")
    options = {"human_accounts": True, "exempt_users": ["bob"], "keys": [{"user": "carol", "state": "absent"}]}
    result = host.four_steps("totp_key", **options)
    assert [one["user"] for one in result["users"]] == ["carol", "alice"]
    assert [host.keys(name) for name in ("alice", "bob", "carol", "nologin")] == ["p", "", "", ""]


def test_users_are_present_where_keys_do_not_name_them(host):
    options = {"keys": [{"user": "alice", "secret": OLD, "state": "validated"}], "users": ["alice", "bob"]}
    result = host.four_steps("totp_key", **options)
    assert [(one["user"], one["state"]) for one in result["users"]] == [("alice", "validated"), ("bob", "pending")]


@pytest.mark.parametrize("name", ["ghost", "alice\0", "../alice"])
def test_unknown_users_can_be_left_out(host, name):
    options = {"keys": [{"user": "alice"}], "users": [name]}
    assert host.run("totp_key", **options)["failed"]
    result = host.four_steps("totp_key", unknown_users="skip", **options)
    assert result["unknown_users"] == [name]
    assert [one["user"] for one in result["users"]] == ["alice"]


def test_a_departed_account_can_be_cleaned_up(host):
    host.totp_key({"user": "alice", "secret": OLD, "state": "validated"})
    host.accounts.remove("alice")
    host.four_steps("totp_key", keys=[{"user": "alice", "state": "absent"}])
    assert (host.keys("alice"), host.members()) == ("", set())


@pytest.mark.parametrize("mode", [0o400, 0o600])
def test_0400_and_0600_are_equal(host, mode):
    host.totp_key({"user": "alice", "secret": OLD, "state": "validated"})
    (host.path / "keys" / "alice").chmod(mode)
    assert not host.totp_key({"user": "alice"})["changed"]
    assert (host.path / "keys" / "alice").stat().st_mode & 0o777 == mode


@pytest.mark.parametrize("state", ["pending", "validated"])
def test_what_the_pam_module_would_refuse_is_corrected(host, state):
    host.totp_key({"user": "alice", "secret": OLD, "state": state})
    path = host.path / {"pending": "pending", "validated": "keys"}[state] / "alice"
    os.chown(path, 1, 1)
    path.chmod(0o644)
    result = host.four_steps("totp_key", keys=[{"user": "alice"}])
    assert "owner and mode" in result["diff"]["prepared"]
    assert (path.stat().st_mode & 0o777, path.stat().st_uid) == (0o600, 0)


def test_a_folder_open_to_reading_is_closed(host):
    host.totp_key({"user": "alice"})
    (host.path / "keys").chmod(0o755)
    assert host.four_steps("totp_key", keys=[{"user": "alice"}])["changed"]
    assert (host.path / "keys").stat().st_mode & 0o777 == 0o700


def test_the_diff_tells_the_truth_and_no_secret(host):
    keys = [{"user": "alice", "secret": OLD, "state": "validated"}, {"user": "bob"}, {"user": "carol"}]
    host.totp_key(*keys)
    keys[0]["secret"] = NEW
    keys[2]["state"] = "absent"
    result = host.totp_key(*keys, diff=True, window=5, issuer="Corp")
    assert result["diff"]["prepared"].splitlines() == [
        "alice: validated key: issuer SSH -> Corp, validated key: window 3 -> 5, validated key: secret replaced",
        "bob: pending key: issuer SSH -> Corp, pending key: window 3 -> 5",
        "carol: pending key removed",
    ]


@pytest.mark.release
def test_work_does_not_multiply_with_users(host):
    names = [f"user{number}" for number in range(400)]
    host.accounts.add(*names, groups=["staff-of-test"])
    keys = [{"user": name, "state": "validated", "secret": OLD} for name in names]
    options = {"exempt_groups": ["staff-of-test-not", "alice"]}
    bad = host.totp_key(*keys, {"user": "ghost"}, **options)
    assert "'ghost'" in bad["msg"]
    assert not host.path.exists()

    def work(some, changed=True):
        def run():
            assert host.totp_key(*some, **options)["changed"] is changed

        return calls_made(run)

    absent = [{"user": name, "state": "absent"} for name in names]
    few = work(keys[:40]), work(keys[:40], changed=False), work(absent[:40])
    assert work(keys) < 15 * few[0]
    assert host.members() == set(names)
    assert len(os.listdir(host.path / "keys")) == 400
    assert work(keys, changed=False) < 15 * few[1]
    assert work(absent) < 15 * few[2]
    assert host.members() == set()


def test_work_does_not_multiply_with_generated_keys(host):
    names = [f"user{number}" for number in range(400)]
    host.accounts.add(*names)

    def generate(some):
        assert host.totp_key(*({"user": name} for name in some))["changed"]

    few = calls_made(lambda: generate(names[:40]))
    assert calls_made(lambda: generate(names)) < 10 * few


def test_an_otpauth_uri_is_all_of_a_key(host, accounts):
    accounts.add("urian")
    uri = f"otpauth://totp/Lab:someone?secret={'JBSWY3DPEHPK3PXP' * 2}&issuer=Lab&period=60"
    done = host.four_steps("totp_key", keys=[{"user": "urian", "secret": uri}])
    key = host.state_dir.pending("urian")
    assert (key.secret_text, key.issuer, key.account, key.period) == ("JBSWY3DPEHPK3PXP" * 2, "Lab", "someone", 60)
    assert "JBSWY3DP" not in str(done)
    refused = host.totp_key({"user": "urian", "secret": f"{uri}&digits=8"})
    assert refused["failed"] and "user 'urian': the otpauth URI" in refused["msg"] and "JBSWY3DP" not in str(refused)
