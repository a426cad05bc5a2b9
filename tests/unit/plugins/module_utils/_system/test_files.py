# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A file that is changed keeps all that is not its content, and nobody may write more at any instant."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.files import FileChange, apply_all, write_file
from ansible_collections.fleetmfa.ssh.tests.support.file_access import (
    ACL,
    CAPABILITY,
    DEFAULT_ACL,
    GROUP,
    GROUP_OBJ,
    MASK,
    OTHER,
    USER,
    USER_OBJ,
    acl,
    extended,
    one_user_writes,
    writers,
)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="owners and most attributes are root's to set")

UID, GID, FRIEND = 4242, 4343, 4444
# Mode and extended attributes of the file before.
MET = {
    "as distributions ship it": (0o644, {}),
    "read by nobody else": (0o600, {}),
    "written by a group": (0o664, {}),
    "written by everybody": (0o666, {}),
    "with set-uid": (0o4755, {}),
    "an ACL that lets one user write": (0o664, {ACL: one_user_writes(FRIEND)}),
    "an ACL whose mask stops the user it names": (
        0o644,
        {ACL: acl((USER_OBJ, 6, None), (USER, 6, FRIEND), (GROUP_OBJ, 4, None), (MASK, 4, None), (OTHER, 4, None))},
    ),
    "an ACL that lets a group write, and shuts one out": (
        0o660,
        {
            ACL: acl(
                *((USER_OBJ, 6, None), (GROUP_OBJ, 0, None), (GROUP, 0, FRIEND), (GROUP, 6, FRIEND + 1)),
                *((MASK, 6, None), (OTHER, 0, None)),
            )
        },
    ),
    "attributes of its own": (0o640, {"user.origin": b"etckeeper\0\xff", "trusted.audit": b"1", "user.empty": b""}),
    "a capability": (0o755, {"security.capability": CAPABILITY}),
    "everything together": (
        0o664,
        {ACL: one_user_writes(FRIEND), "user.origin": b"x", "trusted.audit": b"1", "security.capability": CAPABILITY},
    ),
}


@pytest.fixture(params=["a plain folder", "a folder whose new files let somebody write"])
def folder(request, tmp_path):
    folder = tmp_path / "etc"
    folder.mkdir()
    if "somebody" in request.param:
        generous = acl((USER_OBJ, 7, None), (USER, 7, 4545), (GROUP_OBJ, 7, None), (MASK, 7, None), (OTHER, 7, None))
        os.setxattr(folder, DEFAULT_ACL, generous)
    return folder


@pytest.fixture(params=MET)
def met(request, folder):
    """A file as it is met on a host."""
    mode, attributes = MET[request.param]
    path = folder / "sshd_config"
    path.write_bytes(b"old\n")
    for name in set(os.listxattr(path)) & {ACL}:
        os.removexattr(path, name)
    os.chown(path, UID, GID)
    path.chmod(mode)
    for name, value in attributes.items():
        os.setxattr(path, name, value)
    path.chmod(mode)
    return path


def all_of(path):
    status = path.lstat()
    return path.read_bytes(), stat.filemode(status.st_mode), status.st_uid, status.st_gid, extended(path)


def test_only_the_content_changes_and_comes_back(met):
    before = all_of(met)
    change = FileChange(str(met), b"new\n")
    change.apply()
    assert all_of(met) == (b"new\n", *before[1:])
    change.revert()
    assert all_of(met) == before


def test_a_removed_file_comes_back_with_everything(met):
    before = all_of(met)
    change = FileChange(str(met), None)
    change.apply()
    assert not met.exists()
    change.revert()
    assert all_of(met) == before


def test_put_in_and_taken_out_by_two_runs(met):
    before = all_of(met)
    FileChange(str(met), b"block\nold\n").apply()
    FileChange(str(met), b"old\n").apply()
    assert all_of(met) == before


def test_nobody_may_write_more_at_any_instant(met, folder):
    """Looked at after each call into the system, the temporary file included."""
    allowed, seen = writers(met), []
    change = FileChange(str(met), b"new\n")

    def look(_frame, event, _called):
        if event == "c_return":
            sys.setprofile(None)
            seen.append({name: writers(folder / name) for name in os.listdir(folder)})
            sys.setprofile(look)

    for step in (change.apply, change.revert):
        sys.setprofile(look)
        try:
            step()
        finally:
            sys.setprofile(None)
    assert any(len(files) == 2 for files in seen), "the temporary file was never seen"
    assert [files for files in seen if any(found - allowed for found in files.values())] == []


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o755])
def test_a_new_file_gets_its_mode_and_no_acl_of_the_folder(folder, mode):
    change = FileChange(str(folder / "new"), b"x\n", mode)
    change.apply()
    assert (stat.S_IMODE((folder / "new").stat().st_mode), extended(folder / "new")) == (mode, {})
    change.revert()
    assert os.listdir(folder) == []


def test_a_secret_gets_no_acl_of_the_folder(folder):
    write_file(str(folder / "key"), b"x", 0o600)
    assert extended(folder / "key") == {} and stat.S_IMODE((folder / "key").stat().st_mode) == 0o600


def test_an_attribute_that_cannot_be_kept_is_an_error_that_names_it(tmp_path, monkeypatch):
    path = tmp_path / "sshd"
    path.write_bytes(b"old\n")
    os.setxattr(path, "user.origin", b"x")

    def refuse(*_arguments):
        raise PermissionError(1, "Operation not permitted")

    change = FileChange(str(path), b"new\n")
    monkeypatch.setattr(os, "setxattr", refuse)
    with pytest.raises(FleetMfaError, match=r"cannot write .*sshd: its attribute user.origin cannot be preserved"):
        change.apply()
    assert path.read_bytes() == b"old\n" and os.listdir(tmp_path) == ["sshd"]


def test_what_the_kernel_keeps_of_a_content_is_not_carried_to_another(tmp_path):
    path = tmp_path / "sshd"
    path.write_bytes(b"old\n")
    try:
        os.setxattr(path, "security.ima", b"\x01" + b"\0" * 20)
    except OSError as error:
        pytest.skip(f"no security.ima here: {error}")
    FileChange(str(path), b"new\n").apply()
    assert "security.ima" not in os.listxattr(path)


def test_other_names_of_a_file_keep_the_old_content(tmp_path):
    """As with any editor that replaces a file: a copy made by `cp -al` stays what it was."""
    path, other = tmp_path / "sshd", tmp_path / "backup"
    path.write_bytes(b"old\n")
    os.link(path, other)
    change = FileChange(str(path), b"new\n")
    change.apply()
    assert (path.read_bytes(), other.read_bytes()) == (b"new\n", b"old\n")
    change.revert()
    assert (path.read_bytes(), other.read_bytes()) == (b"old\n", b"old\n")


def test_a_symbolic_link_is_refused_before_anything_is_changed(tmp_path):
    (tmp_path / "elsewhere").write_bytes(b"old\n")
    (tmp_path / "sshd").symlink_to("elsewhere")
    with pytest.raises(FleetMfaError, match="sshd is a symbolic link; replace it with a regular file"):
        FileChange(str(tmp_path / "sshd"), b"new\n")


class TestImmutable:
    @pytest.fixture
    def chattr(self, tmp_path):
        path = tmp_path / "sshd"
        path.write_bytes(b"old\n")

        def change(flag, what=path):
            if subprocess.run(["chattr", flag, what], capture_output=True, check=False).returncode:
                pytest.skip("no chattr on this file system")
            return path

        yield change
        subprocess.run(["chattr", "-ia", path, tmp_path], check=False)

    @pytest.mark.parametrize("flag", ["+i", "+a"])
    def test_refused_while_planning_with_the_command_that_helps(self, chattr, flag):
        path = chattr(flag)
        with pytest.raises(FleetMfaError, match=f"{path} is immutable or append-only.*`chattr -ia {path}`"):
            FileChange(str(path), b"new\n")
        with pytest.raises(FleetMfaError, match="immutable"):
            FileChange(str(path), None)

    def test_nothing_is_refused_if_nothing_changes(self, chattr):
        assert not FileChange(str(chattr("+i")), b"old\n").changed

    def test_a_folder_is_an_error_that_names_the_file_and_chattr(self, chattr, tmp_path):
        path = chattr("+i", tmp_path)
        with pytest.raises(FleetMfaError, match=f"cannot write {path}: Operation not permitted; .*chattr -i"):
            FileChange(str(path), b"new\n").apply()
        assert path.read_bytes() == b"old\n"


class Failing(FileChange):
    """Neither applied nor reverted."""

    def apply(self):
        raise FleetMfaError(f"cannot write {self.path}: some reason")

    revert = apply


def test_a_revert_that_fails_does_not_keep_the_others_from_theirs(tmp_path):
    paths = [tmp_path / name for name in ("one", "two", "three")]
    for path in paths:
        path.write_bytes(b"old\n")
    first, second, third = (str(path) for path in paths)
    changes = [FileChange(first, b"new\n"), FileChange(second, b"new\n"), Failing(third, b"new\n")]
    changes[1].revert = changes[2].revert
    with pytest.raises(FleetMfaError, match="some reason; NOT RESTORED, do it by hand: cannot write .*three"):
        apply_all(changes)
    assert (paths[0].read_bytes(), paths[1].read_bytes()) == (b"old\n", b"new\n")


def test_a_fault_of_ours_reverts_too(tmp_path):
    path = tmp_path / "one"
    path.write_bytes(b"old\n")
    broken = FileChange(str(tmp_path / "two"), b"new\n")
    broken.apply = lambda: 1 / 0
    with pytest.raises(ZeroDivisionError):
        apply_all([FileChange(str(path), b"new\n"), broken])
    assert path.read_bytes() == b"old\n" and os.listdir(tmp_path) == ["one"]


@pytest.mark.parametrize("path", ["/etc/\0", "/etc/passwd/x", "/etc/" + "x" * 300], ids=["NUL", "below a file", "long"])
def test_paths_that_cannot_be(path):
    with pytest.raises(FleetMfaError, match="cannot open"):
        FileChange(path, b"x")


def test_path_like_files_leave_no_descriptor_open(tmp_path):
    before = len(os.listdir("/proc/self/fd"))
    for _round in range(20):
        with pytest.raises(FleetMfaError, match="not a regular file"):
            FileChange(str(tmp_path), b"x")
        FileChange(str(Path(__file__)), None)
    assert len(os.listdir("/proc/self/fd")) == before
