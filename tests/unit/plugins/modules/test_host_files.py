# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the fleetmfa.ssh authors

from __future__ import annotations

import base64
import stat

import pytest

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


def test_permissions_are_put_right(host_files, tmp_path):
    files = [{"path": "one", "content": "text\n"}]
    host_files(files)
    (tmp_path / "one").chmod(0o666)
    assert host_files(files, check_mode=True)["changed"] and mode(tmp_path / "one") == 0o666
    assert host_files(files)["changed"] and mode(tmp_path / "one") == 0o644


def test_diff_shows_text_and_no_program(host_files):
    files = [
        {"path": "one", "content": "text\n"},
        {"path": "two", "content": base64.b64encode(b"\x00program").decode(), "encoding": "base64"},
    ]
    text, program = host_files(files, diff_mode=True)["diff"]
    assert (text["before"], text["after"]) == ("", "text\n")
    assert "program" not in program["after"].replace("(another one)", "")


def test_all_or_none(host_files, tmp_path):
    (tmp_path / "folder").mkdir()
    host_files([{"path": "one", "content": "old\n"}])
    result = host_files([{"path": "one", "content": "new\n"}, {"path": "folder/", "content": "x"}])
    assert result["failed"]
    assert (tmp_path / "one").read_text() == "old\n"


def test_a_symbolic_link_is_refused(host_files, tmp_path):
    (tmp_path / "elsewhere").write_text("theirs\n")
    (tmp_path / "one").symlink_to(tmp_path / "elsewhere")
    result = host_files([{"path": "one", "content": "ours\n"}])
    assert result["failed"] and "symbolic link" in result["msg"]
    assert (tmp_path / "elsewhere").read_text() == "theirs\n"


def test_removal_takes_our_own_folder_and_no_other(host_files, tmp_path):
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
        assert result["failed"] and "has no end" in result["msg"]


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
