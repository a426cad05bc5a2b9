# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Module totp_key_import on home directories and a users file as hosts have them, sound ones and prepared ones."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import tempfile
import time
from pathlib import Path

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.sealed import new_seal, unsealed
from ansible_collections.fleetmfa.ssh.tests.support.people import CODES, secret

NAME = ".google_authenticator"


class Homes:
    """Home directories of alice, bob and carol, who own them."""

    def __init__(self, folder):
        self.folder = folder
        passwd = Path("/etc/passwd")
        lines = [line.split(":") for line in passwd.read_text().splitlines()]
        self.users = [fields[0] for fields in lines if fields[5] == "/nonexistent" and int(fields[2]) >= 20000]
        for fields in lines:
            if fields[0] in self.users:
                fields[5] = str(folder / fields[0])
        passwd.write_text("".join(":".join(fields) + "\n" for fields in lines))
        for user in self.users:
            (folder / user).mkdir(mode=0o755)
            self.give(folder / user, user)

    @staticmethod
    def give(path, user):
        account = pwd.getpwnam(user)
        os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)

    def file(self, user, name, used=(), codes=CODES, more=""):
        path = self.folder / user / NAME
        stamps = " ".join(map(str, used))
        path.write_text(
            f'{secret(name)}\n" RATE_LIMIT 3 30\n" WINDOW_SIZE 17\n" DISALLOW_REUSE {stamps}\n" TOTP_AUTH\n{more}'
            + "".join(f"{code}\n" for code in codes)
        )
        path.chmod(0o400)
        self.give(path, user)
        return path


@pytest.fixture
def homes(accounts):
    folder = Path(tempfile.mkdtemp(prefix="fleetmfa-homes-"))  # users cannot enter tmp_path
    folder.chmod(0o755)
    yield Homes(folder)
    shutil.rmtree(folder)


@pytest.fixture
def found(host, homes, tmp_path):
    """found() -> what the module returns: keys by user, and refusals by user."""

    def run(**options):
        seal = new_seal()
        given = {"human_accounts": True, "exempt_users": [], "exempt_groups": [], "oath_file": "", **options}
        result = host.run("totp_key_import", seal=seal, **given)
        assert not result.get("failed"), result
        assert not result["changed"] and secret("one") not in json.dumps(result) and CODES[0] not in json.dumps(result)
        keys = json.loads(unsealed(seal, result["sealed"]))
        return {one["user"]: one for one in keys}, {one["user"]: one["why"] for one in result["refused"]}

    return run


def test_homes(found, homes):
    step = int(time.time()) // 30
    homes.file("alice", "one", used=[step])
    homes.file("bob", "two")
    before = sorted((str(path), path.lstat().st_mtime_ns) for path in homes.folder.rglob("*"))
    keys, refused = found()
    assert set(keys) == {"alice", "bob"} and refused == {}
    assert keys["alice"]["secret"] == secret("one") and keys["alice"]["used"] == [step]
    assert keys["alice"]["codes"] == CODES and keys["bob"]["last_used"] is None
    assert before == sorted((str(path), path.lstat().st_mtime_ns) for path in homes.folder.rglob("*"))


def test_what_users_have_prepared(found, homes):
    """alice: a link to root's key; bob: a pipe; carol: what is root's. Nothing of it is read, and nobody waits."""
    roots = homes.folder / "roots"
    roots.write_text(f'{secret("one")}\n" DISALLOW_REUSE\n" TOTP_AUTH\n')
    roots.chmod(0o600)
    (homes.folder / "alice" / NAME).symlink_to(roots)
    os.mkfifo(homes.folder / "bob" / NAME)
    homes.give(homes.folder / "bob" / NAME, "bob")
    shutil.copy(roots, homes.folder / "carol" / NAME)
    keys, refused = found()
    assert keys == {} and refused["alice"] == "it is a symbolic link" and refused["bob"] == "it is not a regular file"
    assert "Permission denied" in refused["carol"]


def test_a_huge_file_and_one_that_is_open(found, homes):
    os.truncate(homes.file("alice", "one"), 1 << 40)
    homes.file("bob", "two").chmod(0o666)
    keys, refused = found()
    assert keys == {} and "more than 65536 bytes" in refused["alice"] and "others can write" in refused["bob"]


def test_what_is_no_key_of_ours_is_named(found, homes):
    homes.file("alice", "one", more='" HOTP_COUNTER 5\n')
    (homes.folder / "bob" / NAME).write_text(f'{secret("one")[:16]}\n" TOTP_AUTH\n')
    (homes.folder / "bob" / NAME).chmod(0o400)
    homes.give(homes.folder / "bob" / NAME, "bob")
    keys, refused = found()
    assert keys == {} and "HOTP" in refused["alice"] and "80 bits" in refused["bob"]


def test_a_key_that_was_validated_on_this_host_counts(host, found, homes):
    homes.file("alice", "one", used=[int(time.time()) // 30])
    homes.file("bob", "two")
    for user, name in (("alice", "new"), ("bob", "two")):
        host.totp_key({"user": user, "secret": secret(name), "state": "validated"}, exempt_users=[], exempt_groups=[])
    keys, refused = found()
    assert set(keys) == {"bob"} and "validated another key on this host" in refused["alice"]


def test_exempt_users_and_lists(found, homes):
    for user in homes.users:
        homes.file(user, user)
    assert set(found(exempt_users=["carol"])[0]) == {"alice", "bob"}
    assert set(found(human_accounts=False, users=["bob", "nobody-here"])[0]) == {"bob"}


def test_files_outside_of_the_homes_belong_to_root(found, homes):
    folder = homes.folder / "google"
    folder.mkdir(mode=0o700)
    for user in ("alice", "bob"):
        shutil.move(homes.file(user, user), folder / user)
    os.chown(folder / "alice", 0, 0)
    keys, refused = found(secret_file=f"{folder}/${{USER}}")
    assert set(keys) == {"alice"} and refused == {"bob": "it belongs to another user"}


def test_a_users_file_of_pam_oath(found, homes, tmp_path):
    file = tmp_path / "users.oath"
    file.write_text(
        f"HOTP/T30/6 alice - {'31' * 20}\nHOTP/E/6 bob - {'32' * 20}\nHOTP/T30 stranger - {'33' * 20}\n"
        f"HOTP/T30 {'ab12' * 10} - carol\n"
    )
    file.chmod(0o600)
    keys, refused = found(oath_file=str(file))
    assert set(keys) == {"alice"} and keys["alice"]["source"] == f"{file}, line 1"
    assert "HOTP" in refused["bob"] and "no account here" in refused["stranger"] and "hexadecimal" in refused[""]
    file.chmod(0o644)
    assert found(oath_file=str(file)) == ({}, {"": "others can read it"})
    file.chmod(0o600)
    os.chown(file, 20000, 0)
    assert found(oath_file=str(file)) == ({}, {"": "it belongs to another user"})
