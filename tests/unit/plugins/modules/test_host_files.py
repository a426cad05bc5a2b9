# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors

from __future__ import annotations

import base64
import hashlib
import os
import re
import stat
import subprocess

import pytest

from ansible_collections.fleetmfa.ssh.tests.support.file_access import ACL, extended, one_user_writes

BLOCK = "# BEGIN fleetmfa.ssh\nours\n# END fleetmfa.ssh\n"


@pytest.fixture
def host_files(run_module, tmp_path):
    """host_files([{"path": "a", "content": "x"}], state="absent"); paths are below tmp_path."""

    def run(files, **options):
        below = [{**file, "path": str(tmp_path / file["path"])} for file in files]
        return run_module("host_files", files=below, **options)

    return run


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_check_run_check_run(host_files, tmp_path):
    files = [
        {"path": "etc/fleetmfa/one", "content": "text\n"},
        {"path": "bin/two", "content": base64.b64encode(b"\x00\xff").decode(), "encoding": "base64", "mode": "0755"},
    ]
    assert host_files(files, check_mode=True)["paths"] == [str(tmp_path / file["path"]) for file in files]
    assert not (tmp_path / "etc").exists()
    assert host_files(files)["changed"]
    one, two = tmp_path / "etc/fleetmfa/one", tmp_path / "bin/two"
    assert (one.read_text(), two.read_bytes()) == ("text\n", b"\x00\xff")
    assert (mode(one), mode(two), mode(one.parent)) == (0o644, 0o755, 0o755)
    for check in (True, False):
        assert not host_files(files, check_mode=check)["changed"]


def test_permissions_are_corrected(host_files, tmp_path):
    files = [{"path": "one", "content": "text\n"}]
    host_files(files)
    (tmp_path / "one").chmod(0o666)
    assert host_files(files, check_mode=True)["changed"] and mode(tmp_path / "one") == 0o666
    assert host_files(files)["changed"] and mode(tmp_path / "one") == 0o644


def test_diff_is_a_line_for_each_file_of_ours_and_whole_for_others(host_files, tmp_path):
    files = [
        {"path": "one", "content": "text\n" * 500},
        {"path": "two", "content": base64.b64encode(b"\x00program").decode(), "encoding": "base64", "mode": "0755"},
        {"path": "profile", "content": "ours", "block": True},
    ]
    (tmp_path / "profile").write_text("theirs\n")
    (tmp_path / "one").write_text("older\n")
    (tmp_path / "one").chmod(0o600)
    ours, theirs = host_files(files, diff_mode=True)["diff"]
    uid = f"{os.geteuid()}:{os.getegid()}"
    one, two = ours["prepared"].splitlines()
    assert one == (
        f"{tmp_path}/one: 0600 {uid}, 6 bytes, sha256 {hashlib.sha256(b'older' + bytes([10])).hexdigest()[:16]} -> "
        f"0644 {uid}, 2500 bytes, sha256 {hashlib.sha256((b'text' + bytes([10])) * 500).hexdigest()[:16]}"
    )
    assert two.startswith(f"{tmp_path}/two: absent -> 0755 {uid}, 8 bytes, sha256 ")
    assert (theirs["before"], theirs["after"]) == ("theirs\n", BLOCK + "theirs\n")
    assert "-> absent" in host_files(files, diff_mode=True, state="absent")["diff"][0]["prepared"]


def test_all_or_none(host_files, tmp_path):
    (tmp_path / "folder").mkdir()
    host_files([{"path": "one", "content": "old\n"}])
    result = host_files([{"path": "one", "content": "new\n"}, {"path": "folder/", "content": "x"}])
    assert result["failed"]
    assert (tmp_path / "one").read_text() == "old\n"


class TestFailuresWhileApplying:
    """The plan is good; the second file cannot be written, and the first one is as it was, mode and all."""

    @pytest.fixture
    def in_the_way(self, request, tmp_path):
        """Where the second file is to be."""
        commands = {
            "/proc": (None, None),
            "read-only mount": ("mount --bind {0} {0}; mount -o remount,bind,ro {0}", "umount {0}"),
            "immutable folder": ("chattr +i {0}", "chattr -i {0}"),
            "full disk": ("mount -t tmpfs -o size=8k tmpfs {0}", "umount {0}"),
            "mounted file": ("echo theirs > {0}/two; mount --bind {0}/two {0}/two", "umount {0}/two"),
        }
        begin, end = commands[request.param]
        folder = tmp_path / "other"
        folder.mkdir()
        if begin is None:
            yield "/proc/nope/two"
            return
        done = subprocess.run(["sh", "-ec", begin.format(folder)], capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(done.stderr)
        yield str(folder / "two")
        subprocess.run(["sh", "-ec", end.format(folder)], check=True)

    @pytest.mark.parametrize(
        ("in_the_way", "told"),
        [
            ("/proc", "No such file or directory; create its folder"),
            ("read-only mount", "Read-only file system; its file system is mounted read-only"),
            ("immutable folder", "Operation not permitted; .*chattr -i"),
            ("full disk", "No space left on device; make room"),
            ("mounted file", "Device or resource busy; something is mounted on it"),
        ],
        indirect=["in_the_way"],
    )
    @pytest.mark.parametrize("made_before", [False, True], ids=["first is new", "first is changed"])
    def test_all_or_none(self, run_module, tmp_path, in_the_way, told, made_before):
        first = tmp_path / "made" / "here" / "one"
        if made_before:
            first.parent.mkdir(parents=True)
            first.write_text("old\n")
            first.chmod(0o600)
            os.setxattr(first, "user.note", b"theirs")
        files = [{"path": str(first), "content": "new\n", "mode": "0755"}]
        result = run_module("host_files", files=[*files, {"path": in_the_way, "content": "x" * 20_000}])
        assert result["failed"] and re.search(told, result["msg"]), result["msg"]
        assert in_the_way in result["msg"] and result["msg"].endswith("every file is as it was before")
        if made_before:
            assert (first.read_text(), mode(first), os.listxattr(first)) == ("old\n", 0o600, ["user.note"])
            assert os.listdir(first.parent) == ["one"]
        else:
            assert not (tmp_path / "made").exists()

    @pytest.mark.parametrize("in_the_way", ["immutable folder"], indirect=True)
    def test_what_cannot_be_removed_leaves_the_others_in_place(self, run_module, tmp_path, in_the_way):
        subprocess.run(["chattr", "-i", os.path.dirname(in_the_way)], check=True)
        files = [{"path": str(tmp_path / "one"), "content": "x"}, {"path": in_the_way, "content": "x"}]
        run_module("host_files", files=files)
        subprocess.run(["chattr", "+i", os.path.dirname(in_the_way)], check=True)
        result = run_module("host_files", files=files, state="absent")
        assert result["failed"] and f"cannot remove {in_the_way}: Operation not permitted" in result["msg"]
        assert (tmp_path / "one").read_text() == "x"


def test_an_acl_on_a_file_of_ours_goes_and_its_other_attributes_stay(host_files, tmp_path):
    files = [{"path": "guard", "content": "program\n", "mode": "0755"}]
    host_files(files)
    guard = tmp_path / "guard"
    os.setxattr(guard, ACL, one_user_writes(4444))
    os.setxattr(guard, "user.note", b"theirs")
    assert host_files(files, check_mode=True)["changed"]
    assert host_files(files)["changed"] and not host_files(files)["changed"]
    assert (mode(guard), extended(guard)) == (0o755, {"user.note": b"theirs"})


def test_a_symbolic_link_is_refused(host_files, tmp_path):
    (tmp_path / "elsewhere").write_text("theirs\n")
    (tmp_path / "one").symlink_to(tmp_path / "elsewhere")
    result = host_files([{"path": "one", "content": "ours\n"}])
    assert result["failed"] and "symbolic link" in result["msg"]
    assert (tmp_path / "elsewhere").read_text() == "theirs\n"


def test_removal_takes_our_own_folder_and_no_other(host_files, tmp_path):
    (tmp_path / "shared").mkdir()
    files = [{"path": "fleetmfa/one", "content": "x"}, {"path": "shared/two", "content": "y"}]
    host_files(files)
    assert host_files(files, state="absent", check_mode=True)["changed"] and (tmp_path / "fleetmfa/one").exists()
    assert host_files(files, state="absent")["changed"]
    assert not (tmp_path / "fleetmfa").exists() and (tmp_path / "shared").is_dir()
    assert not host_files(files, state="absent")["changed"]


class TestBlock:
    FILES = [{"path": "profile", "content": "ours", "block": True}]

    def test_it_comes_and_goes_byte_for_byte(self, host_files, tmp_path):
        profile = tmp_path / "profile"
        profile.write_bytes(b"theirs\n\xff no newline at the end")
        profile.chmod(0o600)
        before = profile.read_bytes()
        assert host_files(self.FILES)["changed"]
        assert profile.read_bytes() == BLOCK.encode() + before and mode(profile) == 0o600
        assert not host_files(self.FILES)["changed"]
        assert host_files(self.FILES, state="absent")["changed"]
        assert profile.read_bytes() == before

    def test_what_others_add_round_it_stays(self, host_files, tmp_path):
        profile = tmp_path / "profile"
        profile.write_text("theirs\n")
        host_files(self.FILES)
        profile.write_text("before\n" + profile.read_text() + "added\n")
        assert not host_files(self.FILES)["changed"]
        host_files(self.FILES, state="absent")
        assert profile.read_text() == "before\ntheirs\nadded\n"

    def test_a_missing_file_is_not_made(self, host_files, tmp_path):
        assert not host_files(self.FILES)["changed"] and not (tmp_path / "profile").exists()

    def test_a_block_without_end_is_refused(self, host_files, tmp_path):
        (tmp_path / "profile").write_text("# BEGIN fleetmfa.ssh\nhalf\n")
        result = host_files(self.FILES)
        assert result["failed"] and "do not match (lines 1)" in result["msg"]


def test_only_beside(host_files, tmp_path):
    files = [{"path": "fish/ours", "content": "x", "only_beside": str(tmp_path / "fish")}]
    assert not host_files(files)["changed"]
    (tmp_path / "fish").mkdir()
    assert host_files(files)["changed"] and (tmp_path / "fish/ours").exists()


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"mode": "0666"}, "lets everybody write"),
        ({"mode": "rw"}, "is not octal"),
        ({"content": "%%%", "encoding": "base64"}, "is not base64"),
    ],
)
def test_what_is_refused(host_files, changed, told):
    result = host_files([{"path": "one", "content": "x", **changed}])
    assert result["failed"] and told in result["msg"]


def test_a_relative_path_is_refused(run_module):
    result = run_module("host_files", files=[{"path": "one", "content": "x"}])
    assert result["failed"] and "is not absolute" in result["msg"]


def test_folders_that_were_made_go_with_their_last_file(host_files, tmp_path):
    """Those that were there before stay, although empty."""
    (tmp_path / "theirs").mkdir()
    files = [{"path": path, "content": "x"} for path in ("theirs/ours/fleetmfa/one", "theirs/fleetmfa/two")]
    host_files(files)
    try:
        os.getxattr(tmp_path / "theirs" / "ours", "user.fleetmfa")
    except OSError as error:
        pytest.skip(f"this file system keeps no marks: {error}")
    host_files(files[:1], state="absent")
    assert [path.name for path in (tmp_path / "theirs").iterdir()] == ["fleetmfa"]
    host_files(files, state="absent")
    assert list((tmp_path / "theirs").iterdir()) == []
    assert not host_files(files, state="absent")["changed"]


@pytest.mark.skipif(os.path.isdir("/run/systemd/system"), reason="systemd runs here")
def test_units_on_a_host_without_systemd(host_files, tmp_path):
    """Nothing is written if they cannot be started; there is nothing to stop. With systemd: scenario enrollment."""
    files = [{"path": "one.timer", "content": "x", "restart": True}]
    for wish in (files, [{**files[0], "restart": False}]):
        failed = host_files(wish, units=["one.timer"])
        assert failed["failed"] and "units: systemd does not run on this host" in failed["msg"]
        assert not failed["changed"] and not (tmp_path / "one.timer").exists()
    host_files(files)
    removed = host_files(files, units=["one.timer"], state="absent")
    assert removed["changed"] and removed["units"] == [] and not (tmp_path / "one.timer").exists()
