# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Whatever changes a user's key on a host, by a module, by mfa-enroll or at midnight, the user is told of it; and never of a secret."""

from __future__ import annotations

import datetime
import json
import os
import time
from pathlib import Path

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.root import exemptions
from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.root.desk import Desk
from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.root.exemptions import end_exemptions
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.second_keys import SecondKeys
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy import enforcing
from ansible_collections.fleetmfa.ssh.plugins.module_utils._rollback.rollout import Rollout
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.exemptions import Exemption
from ansible_collections.fleetmfa.ssh.tests.support.enrollment_host import policy
from ansible_collections.fleetmfa.ssh.tests.support.fleet_with_store import Decisions

OLD, NEW, OTHER = (
    "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP",
    "KRUGKIDROVUWG2ZAKRUGKIDROVUWG2ZA",
    "MFSWG2LPNZXW4ZLOORXGK3LPNZSXA4DB",
)
CODES = ["12345678", "23456789"]


@pytest.fixture
def told(told, host):
    host.accounts.add_group("mfa-enforced")
    return told


def events(told):
    """Everything recorded since the last call."""
    found = [(one["user"], one["event"], one["by"]) for one in told.waiting()]
    for path in (told.state_dir / "notices/new").glob("*"):
        path.unlink()
    return found


def tokens(host, secret=OLD, first=-1):
    while time.time() % 30 > 25:
        time.sleep(0.2)
    now = time.time()
    return [host.token(secret, now, first), host.token(secret, now, first + 1)]


def validated(user, secret=OLD, **more):
    return {"user": user, "secret": secret, "state": "validated", "recovery_codes": CODES, **more}


def test_a_key_by_module_totp_key(host, told):
    host.totp_key({"user": "alice", "secret": OLD})
    assert events(told) == [("alice", "pending", "operator")]
    host.totp_key({"user": "alice", "secret": OLD}, window=5)
    assert events(told) == [], "a setting of the host"
    host.totp_key(validated("alice"))
    assert events(told) == [("alice", "validated", "operator")]
    host.totp_key({"user": "alice", "secret": NEW, "state": "rotated"})
    (rotated,) = told.waiting()
    assert (rotated["event"], rotated["details"]) == ("pending", {"rotation": True})
    events(told)
    host.totp_key(validated("alice", NEW))
    (replaced,) = told.waiting()
    assert (replaced["event"], replaced["details"]) == ("validated", {"replaced": True})
    events(told)
    host.totp_key({"user": "alice", "state": "absent"})
    assert events(told) == [("alice", "removed", "operator")]


def test_a_run_that_changes_nothing_tells_nothing(host, told):
    host.totp_key(validated("alice"), validated("bob", NEW))
    events(told)
    for check in (True, False):
        host.totp_key(validated("alice"), validated("bob", NEW), check=check)
    host.totp_key(validated("carol", OTHER), check=True)
    assert events(told) == []


def test_nobody_is_told_where_there_are_no_settings(host, told):
    os.unlink("/etc/fleetmfa/notices.conf")
    host.totp_key(validated("alice"))
    assert not (told.state_dir / "notices").exists()


def test_two_tokens_by_module_totp_validate(host, told):
    host.totp_key({"user": "alice", "secret": OLD})
    events(told)
    host.run("totp_validate", validations=[{"user": "alice", "tokens": ["000000", "111111"]}])
    assert events(told) == [], "wrong ones"
    host.run("totp_validate", validations=[{"user": "alice", "tokens": tokens(host)}])
    assert events(told) == [("alice", "validated", "operator")]


def test_exempted_and_not_exempt_any_more(host, told):
    host.totp_key(validated("alice"), exempt_users=["bob"])
    events(told)
    host.totp_key(validated("alice"), exempt_users=["alice", "bob"])
    assert events(told) == [("alice", "exempted", "operator")], "bob was never asked"
    host.totp_key(validated("alice"), exempt_users=["bob"])
    assert events(told) == [("alice", "enforced", "operator")]


def test_an_exemption_that_ends_at_midnight(host, told, tmp_path, monkeypatch):
    monkeypatch.setattr(exemptions, "must_stay_exempt", lambda *_arguments: {})  # here is no sshd to ask
    host.totp_key(validated("alice"), exempt_users=["alice"])
    assert events(told) == [("alice", "validated", "operator")]
    today = datetime.date.today()
    ended = [Exemption("user", "alice", "a reason", "", today - datetime.timedelta(days=1))]
    assert end_exemptions(policy(tmp_path, exemptions=ended), today) == ["alice"]
    assert events(told) == [("alice", "enforced", "host")]


def test_the_first_key_and_all_that_a_user_does(host, told, tmp_path):
    def ask(request, **values):
        return Desk(policy(tmp_path), "alice").answer({"request": request, **values})

    shown = ask("key")
    ask("key")
    assert events(told) == [("alice", "pending", "user")]
    two = tokens(host, shown["secret"])
    ask("first", token=two[0])
    codes = ask("validate", first=two[0], second=two[1])["recovery_codes"]
    assert events(told) == [("alice", "validated", "user")], "which says that logins ask from now on, too"
    host.totp_key({"user": "alice", "state": "rotated"})
    events(told)
    ask("new_key", token=codes[0])
    (used,) = told.waiting()
    assert (used["event"], used["by"], used["details"]) == (
        "recovery_code_used",
        "user",
        {"recovery_codes": len(codes) - 1},
    )
    events(told)
    ask("recovery_codes", token=host.token(shown["secret"], time.time(), 1))
    assert events(told) == [("alice", "recovery_codes_changed", "user")]


def test_unlocked(host, told):
    host.totp_key(validated("alice"), validated("bob", NEW))
    events(told)
    guard = told.state_dir / "guard"
    (guard / "alice").write_text("locked boot 1 0\nwrong 10 0\nclaimed \n")
    (guard / "bob").write_text("open 1 1 1\nclaimed \n")
    host.run("totp_unlock", users=["alice", "bob"])
    assert events(told) == [("alice", "unlocked", "operator")], "bob was not locked"


def test_a_second_device(host, told):
    host.totp_key(validated("alice"))
    events(told)
    host.totp_key({"user": "alice", "device": "tablet", "secret": NEW})
    (pending,) = told.waiting()
    assert (pending["event"], pending["details"]["device"]) == ("pending", "tablet")
    events(told)
    two = tokens(host, NEW)
    host.run("totp_validate", validations=[{"user": "alice", "device": "tablet", "tokens": two}])
    (one,) = told.waiting()
    assert (one["event"], one["details"]["device"]) == ("validated", "tablet")
    events(told)
    host.totp_key({"user": "alice", "device": "tablet", "state": "promoted"})
    (promoted,) = told.waiting()
    assert (promoted["event"], promoted["details"]["replaced"]) == ("validated", True)
    assert not SecondKeys(host.state_dir).has_any("alice")


def test_joining_that_is_rolled_back(host, told, monkeypatch):
    """The key stays validated; that the user is asked is not told."""
    monkeypatch.setattr(enforcing.Joining, "refuse", lambda *_arguments: None)
    result = host.totp_key(validated("alice"), _connection={"logs_in": True, "uid": 0})
    assert result["joining"] == ["alice"]
    Rollout(str(told.state_dir)).roll_back(result["rollout_id"])
    (got,) = told.send()
    assert (got["event"], got["enforced"]) == ("validated", False)
    result = host.totp_key(validated("alice"), _connection={"logs_in": True, "uid": 0})
    assert events(told) == [("alice", "enforced", "operator")]
    Rollout(str(told.state_dir)).confirm(result["rollout_id"])


def test_what_comes_from_the_key_store(told, host, tmp_path):
    fleet = Decisions(host, tmp_path)

    def of(name):
        folder = fleet.hosts[name].state_dir.notices.path / "new"
        paths = sorted(folder.glob("*"))
        found = [json.loads(path.read_text()) for path in paths]
        for path in paths:
            path.unlink()
        return [(one["user"], one["event"], one["by"]) for one in found]

    fleet.hosts["web1"].make_validated("alice", "one")
    of("web1")
    fleet.sync()
    fleet.sync()
    assert (of("web1"), of("web2")) == ([], [("alice", "validated", "store")])
    fleet.new_key()
    fleet.sync()
    assert sorted(of("web2")) == [("alice", "pending", "store"), ("alice", "revoked", "store")]
    fleet.revoke()
    fleet.sync()
    fleet.sync()
    assert of("web2") == [], "denied already"


def test_many_users_in_one_run(host, told):
    """Recording is bounded work: a file for each user, and no process."""
    users = [f"user{number}" for number in range(300)]
    host.accounts.add(*users)
    started = time.monotonic()
    host.totp_key(*(validated(user) for user in users))
    assert len(told.waiting()) == 300 and {one["event"] for one in told.waiting()} == {"validated"}
    assert time.monotonic() - started < 120


def test_no_secret_is_recorded_or_told(host, told, tmp_path):
    host.totp_key({"user": "alice", "secret": OLD, "recovery_codes": CODES}, validated("bob", NEW))
    two = tokens(host)
    host.run("totp_validate", validations=[{"user": "alice", "tokens": two}])
    host.totp_key({"user": "alice", "secret": OTHER, "state": "rotated"})
    Desk(policy(tmp_path), "bob").answer({"request": "recovery_codes", "token": host.token(NEW, time.time(), 1)})
    files = "".join(path.read_text() for path in (told.state_dir / "notices").rglob("*") if path.is_file())
    codes = host.state_dir.validated("bob").recovery_codes
    document = json.dumps(told.send())
    assert document.count('"user": "alice"') == 3 and codes
    for secret in (OLD, NEW, OTHER, *CODES, *codes, *two, "otpauth"):
        assert secret not in files and secret not in document
    assert (told.state_dir / "notices").stat().st_mode & 0o777 == 0o700
    assert Path("/etc/fleetmfa/notices.conf").stat().st_mode & 0o777 == 0o600
