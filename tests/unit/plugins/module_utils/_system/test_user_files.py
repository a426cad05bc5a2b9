# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Root reads a file that its user may have prepared, or may replace at any moment."""

from __future__ import annotations

import os
import pwd
import shutil
import tempfile
import threading
from pathlib import Path

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system import user_files
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.user_files import read_users_file

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: it reads files of users")
MALLORY = pwd.struct_passwd(("mallory-of-a-test", "x", 54321, 54321, "", "/nowhere", "/bin/sh"))
LIMIT = 1000
SECRET = b"of root alone\n"


@pytest.fixture
def home():
    """Not in tmp_path, which users cannot enter."""
    folder = Path(tempfile.mkdtemp(prefix="fleetmfa-home-"))
    folder.chmod(0o755)
    os.chown(folder, MALLORY.pw_uid, MALLORY.pw_gid)
    (folder / "roots").write_bytes(SECRET)
    (folder / "roots").chmod(0o600)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def own(home):
    file = home / ".google_authenticator"
    file.write_bytes(b"content\n")
    file.chmod(0o400)
    os.chown(file, MALLORY.pw_uid, MALLORY.pw_gid)
    return file


def read(path):
    return read_users_file(MALLORY, str(path), LIMIT)


def why(path):
    with pytest.raises(FleetMfaError) as error:
        read(path)
    return str(error.value)


def test_a_file_as_google_authenticator_makes_it(own):
    assert read(own) == b"content\n"


def test_no_file_and_no_folder(home):
    assert read(home / "nothing") is None and read(home / "no/nothing") is None


def test_a_link_is_never_followed(home, own):
    for target in ("roots", own.name, "/etc/shadow", "nowhere"):
        link = home / f"link-to-{Path(target).name}"
        link.symlink_to(target)
        assert why(link) == "it is a symbolic link"


def test_a_folder_behind_a_link_gives_no_more_than_the_user_has(home):
    (home / "etc").symlink_to("/etc")
    assert "user's rights" in why(home / "etc/shadow")
    assert "another user" in why(home / "etc/passwd")


def test_what_is_no_regular_file_does_not_block(home):
    os.mkfifo(home / "fifo", 0o600)
    os.chown(home / "fifo", MALLORY.pw_uid, MALLORY.pw_gid)
    assert why(home / "fifo") == "it is not a regular file"
    (home / "folder").mkdir()
    assert why(home / "folder") == "it is not a regular file"


def test_a_huge_file(own):
    os.truncate(own, 1 << 40)  # a hole: no space is needed
    assert why(own) == f"it has more than {LIMIT} bytes"


def test_a_file_that_grows_after_the_check(own, monkeypatch):
    monkeypatch.setattr(user_files, "_file_refusal", lambda *_given: None)
    os.truncate(own, 1 << 40)
    assert why(own) == f"it has more than {LIMIT} bytes", "and not that memory is full"


@pytest.mark.parametrize(
    ("mode", "told"), [(0o620, "can write"), (0o602, "can write"), (0o640, "can read"), (0o604, "can read")]
)
def test_a_file_that_is_open_to_others(own, mode, told):
    own.chmod(mode)
    assert told in why(own)


def test_a_file_of_somebody_else(own):
    own.chmod(0o444)
    os.chown(own, 54322, 54322)
    assert "another user" in why(own)


def test_another_name_of_a_file(home, own):
    os.link(own, home / "second")
    assert "hard link" in why(own)


def test_a_folder_that_is_open_to_others(home, own):
    home.chmod(0o775)
    assert "write to its folder" in why(own)
    home.chmod(0o755)
    os.chown(home, 54322, 54322)
    assert "its folder belongs" in why(own)


def test_a_folder_that_the_user_cannot_enter(home, own):
    """As with root_squash, where only the user is let in, and a ticket of the user's is missing."""
    os.chown(home, 0, 0)
    home.chmod(0o700)
    assert "user's rights" in why(own)


def test_a_file_that_is_replaced_all_the_time(home, own):
    """By a link to a file of root's, and back: each time the file, or a refusal."""
    stop = threading.Event()
    copy, link = home / "copy", home / "link"

    def swap():
        while not stop.is_set():
            shutil.copy2(own, copy)
            os.chown(copy, MALLORY.pw_uid, MALLORY.pw_gid)
            link.unlink(missing_ok=True)
            link.symlink_to("roots")
            os.rename(link, home / "name")
            os.rename(copy, home / "name")

    swapper = threading.Thread(target=swap)
    swapper.start()
    try:
        seen = set()
        for _round in range(200):
            try:
                seen.add(read(home / "name"))
            except FleetMfaError as error:
                seen.add(str(error))
    finally:
        stop.set()
        swapper.join()
    assert SECRET not in seen and seen <= {b"content\n", None, "it is a symbolic link"}
