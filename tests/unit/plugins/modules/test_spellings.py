# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A directory answers BOB with account bob: whatever a name is spelled like, it is about that account."""

from __future__ import annotations

import datetime
import pwd
import subprocess
import time
from pathlib import Path

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.root.desk import Desk
from ansible_collections.fleetmfa.ssh.tests.support.enrollment_host import policy, provision

OLD, NEW = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", "KRUGKIDROVUWG2ZAKRUGKIDROVUWG2ZA"


@pytest.fixture(autouse=True)
def directory(monkeypatch):
    """Knows each account by any spelling."""
    ask = pwd.getpwnam
    monkeypatch.setattr(pwd, "getpwnam", lambda name: ask(name.lower()))


def names(host, folder):
    path = Path(host.path, folder)
    return sorted(one.name for one in path.iterdir()) if path.exists() else []


def provision_as_0_1_0(host, name="BOB", secret=OLD):
    """What version 0.1.0 made of `mfa_keys: [{user: BOB, state: validated}]`."""
    host.totp_key({"user": "carol", "secret": secret, "state": "validated"})
    path = Path(host.path, "keys", "carol")
    path.write_text(path.read_text().replace(f', "uid": {pwd.getpwnam("carol").pw_uid}', ""))
    path.rename(Path(host.path, "keys", name))
    for record in Path(host.path, "enforced").iterdir():  # 0.1.0 kept none
        record.unlink()
    text = Path("/etc/group").read_text()
    lines = [
        ":".join([*line.split(":")[:3], ",".join({*filter(None, line.split(":")[3].split(","))} - {"carol"} | {name})])
        if line.startswith("mfa-enforced:")
        else line
        for line in text.splitlines()
    ]
    Path("/etc/group").write_text("\n".join(lines) + "\n")


def test_a_key_by_any_spelling_is_the_accounts(host):
    result = host.four_steps("totp_key", keys=[{"user": "BOB", "secret": OLD, "state": "validated"}], users=["ALICE"])
    assert [one["user"] for one in result["users"]] == ["bob", "alice"]
    assert (names(host, "keys"), names(host, "pending"), host.members()) == (["bob"], ["alice"], {"bob"})
    assert host.state_dir.validated("bob").account == "bob"


@pytest.mark.parametrize("names", [("BOB", "bob"), ("Bob", "bOB")])
def test_one_account_by_two_spellings_is_an_error_that_names_both(host, names):
    result = host.totp_key(*({"user": name, "secret": OLD} for name in names))
    assert result["failed"]
    assert f"as {' and '.join(sorted(names))}, which are the same account" in result["msg"]
    assert not host.path.exists()
    result = host.run("totp_validate", validations=[{"user": name, "tokens": ["000000", "111111"]} for name in names])
    assert f"{' and '.join(sorted(names))} named more than once" in result["msg"]


def test_the_list_of_users_adds_nothing_to_an_entry_of_another_spelling(host):
    result = host.totp_key({"user": "BOB", "secret": OLD}, users=["bob", "ALICE", "alice"], human_accounts=True)
    assert result["failed"] and "user 'ALICE'" in result["msg"] and "'bob'" not in result["msg"]
    result = host.totp_key({"user": "BOB", "secret": OLD}, users=["bob", "ALICE"], human_accounts=True)
    assert sorted(one["user"] for one in result["users"]) == ["alice", "bob", "carol"]


def test_exempt_by_any_spelling(host):
    keys = [{"user": "bob", "secret": OLD, "state": "validated"}]
    assert not host.totp_key(*keys, exempt_users=["BOB"])["users"][0]["enforced"]
    host.accounts.add_group("robots", ["bob"])
    keys[0]["user"] = "BOB"
    assert not host.totp_key(*keys, exempt_groups=["robots"])["users"][0]["enforced"]
    assert host.members() == set()


def test_validated_by_any_spelling(host):
    host.totp_key({"user": "bob", "secret": OLD})
    while time.time() % 30 > 28:
        time.sleep(0.2)
    two = [host.token(OLD, time.time(), offset) for offset in (-1, 0)]
    result = host.run("totp_validate", validations=[{"user": "BOB", "tokens": two}])
    assert (result["users"][0]["user"], result["users"][0]["enforced"]) == ("bob", True)
    assert (names(host, "keys"), host.members()) == (["bob"], {"bob"})


@pytest.mark.parametrize("keys", [[], [{"user": "bob"}], [{"user": "BOB", "secret": OLD, "state": "validated"}]])
def test_what_0_1_0_left_under_a_spelling_protects_the_account_again(host, keys):
    provision_as_0_1_0(host)
    problems = host.run("totp_key_info", users=["bob"])["users"][0]["problems"]
    assert [one["id"] for one in problems] == ["account_misspelled"]
    assert len(problems[0]["evidence"]) == 2 and all("BOB" in one for one in problems[0]["evidence"])
    result = host.four_steps("totp_key", keys=keys)
    assert "bob: validated key moved here from the spelling BOB" in result["diff"]["prepared"]
    assert (names(host, "keys"), host.members()) == (["bob"], {"bob"})
    found = host.run("totp_key_info")["users"][1]
    assert {**found, "problems": []} == host.run("totp_key_info", users=["BOB"])["users"][0]


def test_a_second_key_under_another_spelling_is_moved_aside(host):
    host.totp_key({"user": "bob", "secret": NEW, "state": "validated"})
    provision_as_0_1_0(host)
    content = Path(host.path, "keys", "BOB").read_bytes()
    result = host.totp_key(diff=True)
    assert "validated key under the spelling BOB moved aside" in result["diff"]["prepared"]
    (away,) = Path(host.path, "put-away").iterdir()
    assert away.name.startswith("BOB.keys.") and away.read_bytes() == content
    assert Path(host.path, "put-away").stat().st_mode & 0o777 == 0o700
    assert host.state_dir.validated("bob").secret_text == NEW
    assert (names(host, "keys"), host.members()) == (["bob"], {"bob"})


def test_a_member_by_a_spelling_without_a_key_is_an_error(host):
    """Somebody meant bob to be asked, and he is not; and without a key he would be locked out."""
    provision_as_0_1_0(host)
    Path(host.path, "keys", "BOB").unlink()
    before = host.snapshot()
    result = host.totp_key()
    assert result["failed"]
    assert "mfa-enforced has BOB, which is another spelling of this account" in result["msg"]
    assert "gpasswd -d BOB mfa-enforced" in result["msg"]
    assert host.snapshot() == before
    subprocess.run(["gpasswd", "-d", "BOB", "mfa-enforced"], check=True, capture_output=True)
    assert not host.totp_key().get("failed")


def test_a_removed_key_does_not_come_back_from_a_copy_under_a_spelling(host):
    """A login under another spelling that was refused leaves a copy behind, which the guard knows of."""
    host.totp_key({"user": "bob", "secret": OLD, "state": "validated"})
    copy = Path(host.path, "keys", "BOB")
    copy.write_bytes(Path(host.path, "keys", "bob").read_bytes())
    Path(host.path, "guard", "bob").write_text("lent BOB\nclaimed\n")
    assert not host.totp_key({"user": "bob"})["changed"]
    assert host.run("totp_key_info")["users"][1]["problems"] == []
    host.totp_key({"user": "bob", "state": "absent"})
    assert (names(host, "keys"), names(host, "guard"), host.members()) == ([], [], set())


def test_a_link_lent_to_a_login_is_no_key(host):
    host.totp_key({"user": "bob", "secret": OLD, "state": "validated"})
    Path(host.path, "keys", "BOB").symlink_to("bob")
    assert host.state_dir.users() == ["bob"]
    assert not host.totp_key()["changed"]


def test_the_enrollment_policy_means_accounts(tmp_path, accounts):
    provision(tmp_path)
    desk = Desk(policy(tmp_path, users=["BOB", "CAROL"], exempt_users=["CAROL"]), "bob")
    assert desk.status()["may_enroll"]
    assert not Desk(policy(tmp_path, users=["BOB", "CAROL"], exempt_users=["CAROL"]), "carol").status()["may_enroll"]
    period = policy(tmp_path, user_extensions={"BOB": 20}).period_of("bob", time.time())
    assert period.days_left(datetime.date.today()) > 20
