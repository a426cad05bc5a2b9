# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A key belongs to a user id as well as to a name: leavers, names that are used again, names that share a user id."""

from __future__ import annotations

import contextlib
import pwd
import subprocess
import time
from pathlib import Path

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.root import service
from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.root.desk import Desk
from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.entry import CallSettings, KeyEntry
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.options import MfaHost
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.plan import plan
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.key_findings import Enforcement, key_findings
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import EnforcedGroup, Exemptions
from ansible_collections.fleetmfa.ssh.tests.support.enrollment_host import policy

OLD, NEW = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", "KRUGKIDROVUWG2ZAKRUGKIDROVUWG2ZA"
VALIDATED = {"user": "bob", "secret": OLD, "state": "validated"}


@pytest.fixture(autouse=True)
def no_directory(accounts):
    Path("/etc/nsswitch.conf").write_text("passwd: files systemd\ngroup: files\nshadow: files\n")


def leave(host, user="bob"):
    """As userdel does."""
    host.accounts.remove(user)
    subprocess.run(["gpasswd", "-d", user, "mfa-enforced"], capture_output=True, check=False)


def use_the_name_again(host, user="bob"):
    leave(host, user)
    host.accounts.add(user, first_uid=25000)


def put_away(host):
    folder = Path(host.path, "put-away")
    return {one.name.rsplit(".", 1)[0]: one.read_text() for one in folder.iterdir()} if folder.exists() else {}


def alias(of="bob", name="bob2"):
    entry = pwd.getpwnam(of)
    with Path("/etc/passwd").open("a") as handle:
        handle.write(f"{name}:x:{entry.pw_uid}:{entry.pw_gid}::/nonexistent:/bin/bash\n")


def test_a_key_records_whose_it_is(host):
    host.totp_key(VALIDATED, {"user": "alice"})
    assert host.state_dir.validated("bob").uid == pwd.getpwnam("bob").pw_uid
    assert host.state_dir.pending("alice").uid == pwd.getpwnam("alice").pw_uid


def test_a_file_of_0_1_0_is_adopted_once_and_reported(host):
    host.totp_key(VALIDATED)
    path = Path(host.path, "keys", "bob")
    uid = pwd.getpwnam("bob").pw_uid
    path.write_text(path.read_text().replace(f', "uid": {uid}', ""))
    assert host.state_dir.validated("bob").uid is None
    result = host.four_steps("totp_key", keys=[VALIDATED])
    assert f"validated key: user id None -> {uid}" in result["diff"]["prepared"]
    assert host.members() == {"bob"}


@pytest.mark.parametrize("pending", [False, True])
def test_a_name_that_is_used_again_inherits_nothing(host, pending):
    host.totp_key({"user": "bob", "secret": OLD, "state": "pending" if pending else "validated"})
    folder = "pending" if pending else "keys"
    content = Path(host.path, folder, "bob").read_text()
    use_the_name_again(host)
    assert host.keys("bob") == ""
    result = host.four_steps("totp_key", users=["bob"])
    assert result["put_away"] == ["bob"]
    assert put_away(host) == {f"bob.{folder}": content}
    assert (host.keys("bob"), host.members()) == ("p", set())
    assert host.state_dir.pending("bob").secret_text != OLD


def test_whoever_has_the_name_now_enrolls_with_a_key_of_their_own(host, tmp_path):
    host.totp_key({"user": "bob", "secret": OLD})
    use_the_name_again(host)
    desk = Desk(policy(tmp_path), "bob")
    assert not desk.status()["pending"]
    assert desk.answer({"request": "key"})["secret"] != OLD
    assert set(put_away(host)) == {"bob.pending"}


def test_two_tokens_of_the_old_key_validate_nothing(host):
    host.totp_key({"user": "bob", "secret": OLD})
    use_the_name_again(host)
    while time.time() % 30 > 28:
        time.sleep(0.2)
    two = [host.token(OLD, time.time(), offset) for offset in (-1, 0)]
    result = host.run("totp_validate", validations=[{"user": "bob", "tokens": two}])
    assert result["users"][0]["reason"] == "no_pending_key"
    assert host.members() == set()


def test_a_member_with_a_key_of_another_user_id_stays_denied(host):
    """usermod -u: the same person, perhaps. Nobody leaves the group but by an explicit word."""
    host.totp_key(VALIDATED)
    text = Path("/etc/passwd").read_text()
    uid = pwd.getpwnam("bob").pw_uid
    Path("/etc/passwd").write_text(text.replace(f"bob:x:{uid}:", "bob:x:25000:"))
    before = host.snapshot()
    for options in ({"users": ["bob"]}, {}):
        result = host.totp_key(**options)
        assert result["failed"] and "every login stays denied" in result["msg"]
        assert host.snapshot() == before
    assert "another user id" in host.totp_key()["msg"]
    result = host.totp_key(VALIDATED)
    assert result["put_away"] == ["bob"]
    assert (host.keys("bob"), host.members()) == ("v", {"bob"})
    assert host.state_dir.validated("bob").uid == 25000


def test_the_keys_of_leavers_are_moved_aside(host):
    host.totp_key(VALIDATED, {"user": "carol"})
    leave(host)
    leave(host, "carol")
    result = host.four_steps("totp_key", users=["alice"])
    assert result["put_away"] == ["bob", "carol"]
    assert "bob: the account is gone, its validated key was moved aside" in result["diff"]["prepared"]
    assert set(put_away(host)) == {"bob.keys", "carol.pending"}
    assert host.state_dir.users() == ["alice"]


@pytest.mark.parametrize("services", ["files sss", "files ldap systemd", "compat", "files winbind # a comment"])
def test_a_directory_that_does_not_answer_makes_nobody_a_leaver(host, services):
    """Bob is of the directory: nothing recorded, nothing in /etc/passwd, and no answer at this moment."""
    host.totp_key(VALIDATED)
    path = Path(host.path, "keys", "bob")
    path.write_text(path.read_text().replace(f', "uid": {pwd.getpwnam("bob").pw_uid}', ""))
    host.accounts.remove("bob")
    Path("/etc/nsswitch.conf").write_text(f"passwd: {services}\n")
    result = host.totp_key({"user": "alice"})
    assert result["put_away"] == [] and path.exists()
    assert host.members() == {"bob"}


def test_a_leaver_who_is_named(host):
    host.totp_key(VALIDATED)
    leave(host)
    result = host.totp_key(VALIDATED)
    assert result["failed"] and "user 'bob': there is no such account" in result["msg"]
    assert "state absent" in result["msg"] and "mfa_unknown_users" in result["msg"]
    result = host.totp_key(VALIDATED, unknown_users="skip")
    assert (result["unknown_users"], result["put_away"]) == (["bob"], ["bob"])
    assert not host.totp_key({"user": "bob", "state": "absent"}).get("failed")


class TestTwoNamesOfOneUserId:
    def test_is_refused_unless_each_is_asked_or_exempt(self, host):
        alias()
        result = host.totp_key(VALIDATED)
        assert result["failed"] and "bob2 has the same user id and could log in without a token" in result["msg"]
        assert not host.path.exists()
        assert not host.totp_key(VALIDATED, exempt_users=["bob2"]).get("failed")
        assert not host.totp_key(VALIDATED, {**VALIDATED, "user": "bob2"}).get("failed")
        assert host.members() == {"bob", "bob2"}

    def test_an_exempt_name_is_on_record_as_such(self, host):
        """The account check goes by user id, and would refuse it."""
        alias()
        host.four_steps("totp_key", keys=[VALIDATED], exempt_users=["bob2"])
        record = Path(host.path, "enforced", str(pwd.getpwnam("bob").pw_uid))
        assert record.read_text() == "/bob2\nbob\n"
        assert host.state_dir.records.users() == {"bob"}
        host.four_steps("totp_key", keys=[VALIDATED, {**VALIDATED, "user": "bob2"}])
        assert record.read_text() == "bob\nbob2\n"
        host.totp_key({"user": "bob", "state": "absent"}, exempt_users=["bob2"])
        assert not record.exists()

    def test_an_exempt_name_stays_on_record_when_one_of_two_enforced_names_leaves(self, host):
        alias()
        alias(name="bob3")
        record = Path(host.path, "enforced", str(pwd.getpwnam("bob").pw_uid))
        both = [VALIDATED, {**VALIDATED, "user": "bob2"}]
        assert not host.totp_key(*both, exempt_users=["bob3"]).get("failed")
        assert record.read_text() == "/bob3\nbob\nbob2\n"
        assert not host.totp_key({"user": "bob", "state": "absent"}, exempt_users=["bob", "bob3"]).get("failed")
        assert record.read_text() == "/bob\n/bob3\nbob2\n"
        host.state_dir.records.remove(["bob3"])
        assert record.read_text() == "/bob\n/bob3\nbob2\n"

    def test_a_name_without_a_login_shell_is_no_way_in(self, host):
        alias()
        text = Path("/etc/passwd").read_text()
        Path("/etc/passwd").write_text(text.replace("/nonexistent:/bin/bash\n", "/nonexistent:/usr/sbin/nologin\n"))
        assert not host.totp_key(VALIDATED).get("failed")

    def test_of_root_is_a_finding_and_no_error(self, host):
        own = MfaHost.from_options(
            {"state_dir": str(host.path), "group": "mfa-enforced", "exempt_users": [], "exempt_groups": []}
        )
        for user, refused in ("root", False), ("bob", True):
            alias(user, f"{user}2")
            entry = KeyEntry({**VALIDATED, "user": user}, CallSettings("SSH"), time.time(), list)
            with pytest.raises(FleetMfaError, match="has the same user id") if refused else contextlib.nullcontext():
                assert plan([entry], own)
        assert self.findings(host, {"root"}) == [
            ("uid_shared", ("root2 has the same user id as root, who is enforced",))
        ]
        assert self.findings(host, {"root", "root2"}) == []
        assert self.findings(host, {"root"}, exempt=["root2"]) == []

    def test_is_not_served_at_the_door(self, accounts, monkeypatch):
        """The kernel tells a user id, which is not who it is here."""
        monkeypatch.setattr(service, "user_id", lambda _connection: pwd.getpwnam("bob").pw_uid)
        assert service.caller(None) == "bob"
        alias()
        with pytest.raises(FleetMfaError, match="bob and bob2 share a user id"):
            service.caller(None)

    @staticmethod
    def findings(host, enforced, exempt=()):
        enforcement = Enforcement(EnforcedGroup(), enforced, Exemptions(exempt))
        return [tuple(one) for one in key_findings(host.state_dir, enforcement) if one.id == "uid_shared"]

    def test_is_not_validated_by_two_tokens(self, host):
        host.totp_key({"user": "bob", "secret": OLD})
        alias()
        two = [host.token(OLD, time.time(), offset) for offset in (-1, 0)]
        result = host.run("totp_validate", validations=[{"user": "bob", "tokens": two}])
        assert "bob2 has the same user id" in result["msg"]
        assert host.keys("bob") == "p"
