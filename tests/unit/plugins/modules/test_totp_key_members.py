# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Who is enforced stays enforced: nothing but an explicit word takes a member out of the group, whatever became of the key."""

from __future__ import annotations

import os
import subprocess
import time

import pytest

OLD, NEW = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", "KRUGKIDROVUWG2ZAKRUGKIDROVUWG2ZA"


def replace_by(make):
    def losing(path):
        path.unlink()
        make(path)

    return losing


# What becomes of a key file, and what an error has to say of it.
LOST = {
    "gone": (lambda path: path.unlink(), "does not exist"),
    "empty": (lambda path: path.write_bytes(b""), "line 1"),
    "a link": (replace_by(lambda path: path.symlink_to("/etc/hostname")), "symbolic link"),
    "a folder": (replace_by(lambda path: path.mkdir()), "not a regular file"),
    "a pipe": (replace_by(os.mkfifo), "not a regular file"),
    "cut off": (lambda path: path.write_bytes(path.read_bytes()[:10]), "line 1"),
    "no text": (lambda path: path.write_bytes(b"\xff\0\xfe" * 50), "NUL byte"),
}


@pytest.fixture
def member(host):
    host.totp_key({"user": "alice", "secret": OLD, "state": "validated"})
    host.path.joinpath("keys", "alice").chmod(0o600)
    return host


RUNS = {
    "named": {"keys": [{"user": "alice"}]},
    "in users": {"users": ["alice"]},
    "of people": {"human_accounts": True},
    "not named": {"keys": [{"user": "bob"}]},
    "nobody named": {},
    "with its secret": {"keys": [{"user": "alice", "secret": OLD}]},
    "rotated to a key that nobody knows": {"keys": [{"user": "alice", "state": "rotated"}]},
    "pending": {"keys": [{"user": "alice", "state": "pending", "secret": NEW}]},
}


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("loss", LOST)
def test_a_member_who_lost_the_key_stays_one_and_is_an_error(member, loss, run):
    lose, said = LOST[loss]
    lose(member.path / "keys" / "alice")
    before = member.snapshot()
    for check in (True, False):
        result = member.run("totp_key", check=check, **RUNS[run])
        assert result["failed"] and "user 'alice'" in result["msg"]
        assert any(words in result["msg"] for words in (said, "there is none", "state pending")), result["msg"]
        assert member.snapshot() == before


@pytest.mark.parametrize("run", ["not named", "of people"])
@pytest.mark.parametrize("spoil", [lambda path: path.chmod(0o644), lambda path: os.chown(path, 1, 1)])
def test_owner_and_mode_are_corrected_for_managed_users(member, spoil, run):
    spoil(member.path / "keys" / "alice")
    result = member.run("totp_key", **RUNS[run])
    if run == "not named":
        assert result["failed"] and "mode 0600" in result["msg"]
    else:
        assert result["changed"] and "alice" not in result["denied_users"]
    assert member.members() == {"alice"}


def test_a_renamed_account(member):
    """The member of the group is renamed, and the key file keeps the old name. By hand: `usermod -l` refuses while any
    process on the machine has this user id, if only in a container."""
    subprocess.run(["sed", "-i", "s/^alice:/alicia:/", "/etc/passwd", "/etc/shadow"], check=True)
    subprocess.run(["sed", "-Ei", r"s/([:,])alice(,|$)/\1alicia\2/", "/etc/group"], check=True)
    assert member.members() == {"alicia"}
    for run in (RUNS["of people"], {"keys": [{"user": "alicia"}]}, {}):
        result = member.run("totp_key", **run)
        assert result["failed"] and "'alicia'" in result["msg"]
        assert member.members() == {"alicia"}


def test_one_run_names_all_and_one_run_can_repair_all(host):
    users = ("alice", "bob", "carol")
    host.totp_key(*({"user": user, "secret": OLD, "state": "validated"} for user in users))
    for user in users:
        host.path.joinpath("keys", user).unlink()
    result = host.run("totp_key", human_accounts=True)
    assert all(f"'{user}'" in result["msg"] for user in users)
    ways = [{"state": "validated", "secret": NEW}, {"state": "rotated", "secret": OLD}, {"state": "absent"}]
    entries = [{"user": user, **way} for user, way in zip(users, ways)]
    assert host.totp_key(*entries, check=True)["denied_users"] == ["bob"]
    assert host.totp_key(*entries)["denied_users"] == ["bob"]
    assert host.members() == {"alice", "bob"}
    assert [host.keys(user) for user in users] == ["v", "p", ""]


def test_one_of_several_can_be_repaired_alone(member):
    member.totp_key({"user": "bob", "secret": OLD, "state": "validated"})
    for user in ("alice", "bob"):
        member.path.joinpath("keys", user).unlink()
    entry = {"user": "alice", "state": "validated", "secret": NEW}
    assert "'bob'" in member.totp_key(entry)["msg"]
    result = member.totp_key(entry, other_members="report")
    assert result["changed"] and result["denied_users"] == ["bob"]
    assert member.members() == {"alice", "bob"}


def test_a_new_key_keeps_denying_until_it_is_validated(member):
    member.path.joinpath("keys", "alice").unlink()
    result = member.totp_key({"user": "alice", "state": "rotated", "secret": NEW})
    assert result["users"][0]["enforced"] and "until the pending key is validated" in str(
        result["users"][0]["problems"]
    )
    assert (member.keys("alice"), member.members()) == ("p", {"alice"})
    assert not member.totp_key({"user": "alice", "state": "rotated", "secret": NEW})["changed"]
    assert member.run("totp_key", human_accounts=True)["failed"]
    tokens = [member.token(NEW, time.time(), offset) for offset in (-1, 0)]
    validated = member.run("totp_validate", validations=[{"user": "alice", "tokens": tokens}])
    assert validated["users"][0]["enforced"]
    assert (member.keys("alice"), member.members()) == ("v", {"alice"})
    assert not member.run("totp_key", human_accounts=True).get("failed")


@pytest.mark.parametrize("entry", [{}, {"secret": OLD}, {"secret": NEW}])
@pytest.mark.parametrize("rotated", [True, False])
def test_a_validated_key_does_not_become_pending_again(member, entry, rotated):
    if rotated:
        member.totp_key({"user": "alice", "state": "rotated"})
    before = member.snapshot()
    result = member.totp_key({"user": "alice", "state": "pending", **entry})
    assert result["failed"] and "'alice': state pending" in result["msg"]
    assert member.snapshot() == before


def test_exempt_is_an_explicit_word(host):
    """Whether the user is named or not, and whatever became of the key."""
    users = ("alice", "bob", "carol")
    host.totp_key(*({"user": user, "secret": OLD, "state": "validated"} for user in users))
    host.path.joinpath("keys", "bob").unlink()
    result = host.four_steps("totp_key", human_accounts=True, exempt_users=["alice", "bob", "ghost"])
    assert "alice: leaves mfa-enforced" in result["diff"]["prepared"]
    assert (host.members(), host.keys("alice"), host.keys("bob")) == ({"carol"}, "v", "")
    host.accounts.add_group("robots", ["carol"])
    host.four_steps("totp_key", keys=[{"user": "alice"}], exempt_groups=["robots"])
    assert host.members() == {"alice"}


def test_nobody_joins_with_a_key_that_denies(host):
    host.totp_key({"user": "alice", "secret": OLD, "state": "validated"}, exempt_users=["alice"])
    path = host.path / "keys" / "alice"
    path.write_text(path.read_text().replace(OLD, "!"))
    before = host.snapshot()
    result = host.totp_key({"user": "alice"})
    assert result["failed"] and "line 1" in result["msg"]
    assert host.snapshot() == before


def test_an_account_that_is_gone_stays_a_member(member):
    """A directory service may answer again; without an account nobody logs in."""
    member.path.joinpath("keys", "alice").unlink()
    member.accounts.remove("alice")
    assert not member.run("totp_key", human_accounts=True).get("failed")
    assert member.members() == {"alice"}


def test_whom_version_0_1_0_released_is_reported(member):
    """It made the lost key pending and took the user out of the group; the guard's record of logins stays."""
    member.path.joinpath("guard", "alice").write_text("claimed 1\n")
    member.path.joinpath("keys", "alice").rename(member.path / "pending" / "alice")
    subprocess.run(["gpasswd", "-d", "alice", "mfa-enforced"], check=True, capture_output=True)

    def problems(**options):
        return member.run("totp_key_info", users=["alice"], **options)["users"][0]["problems"]

    assert [problem["id"] for problem in problems()] == ["member_released"]
    assert problems(exempt_users=["alice"]) == []
    member.totp_key({"user": "alice", "state": "absent"})
    member.totp_key({"user": "alice"})
    assert problems() == []
