# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Roll-outs in processes of their own that are really killed; files on disk, owners, modes and times are the judge."""

from __future__ import annotations

import concurrent.futures
import fcntl
import json
import os
import signal
import stat
import subprocess
import sys

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._rollback import program
from ansible_collections.fleetmfa.ssh.plugins.module_utils._rollback.rollout import Rollout
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.files import FileChange
from ansible_collections.fleetmfa.ssh.tests.support.file_access import writers
from ansible_collections.fleetmfa.ssh.tests.support.folder_host import (
    FOREIGN_UID,
    ROLLOUT_ID,
    FolderHost,
)


def test_applies_and_waits(host):
    done = host.run()
    assert done.returncode == 0, done.stderr
    assert host.is_applied
    assert (host.etc / "pam.d/sshd").stat().st_uid == FOREIGN_UID
    assert host.rollout.earlier()["outcome"] == "waiting"


def test_confirmed_stays_and_leaves_no_old_files(host):
    host.run()
    host.rollout.confirm(ROLLOUT_ID)
    assert host.is_applied
    assert host.rollout.is_confirmed(ROLLOUT_ID)
    assert host.rollout.earlier() is None
    assert not list(host.state.rglob("file-*"))
    host.wait_for_timer()  # it sees that its roll-out has ended, long before its time is up
    assert host.is_applied


def test_unconfirmed_change_is_rolled_back_and_reported(host):
    host.run()
    assert host.is_applied
    host.time_is_up()
    assert host.is_as_before
    told = host.rollout.earlier()
    assert (told["id"], told["outcome"], told["reason"]) == (ROLLOUT_ID, "rolled_back", "timer")
    host.rollout.settle()
    assert host.rollout.earlier() is None


def test_confirmation_after_the_time_is_refused(host):
    host.run()
    host.time_is_up()
    with pytest.raises(FleetMfaError, match=r"already rolled back \(timer\)"):
        host.rollout.confirm(ROLLOUT_ID)
    assert host.is_as_before


def test_another_id_neither_confirms_nor_rolls_back(host):
    host.run()
    for wrong in (host.rollout.confirm, host.rollout.roll_back):
        with pytest.raises(FleetMfaError, match="there is no roll-out ffff"):
            wrong("ffff")
    assert host.rollout.earlier()["outcome"] == "waiting"
    assert host.is_applied


def test_rolled_back_on_request(host):
    host.run()
    host.rollout.roll_back(ROLLOUT_ID)
    assert host.is_as_before
    assert host.rollout.earlier()["reason"] == "request"
    host.rollout.roll_back(ROLLOUT_ID)  # may be repeated: the answer may have been lost
    host.wait_for_timer()


def test_next_run_rolls_back_what_still_waits(host):
    host.run()
    host.rollout.settle()
    assert host.is_as_before
    assert host.rollout.earlier() is None


def test_reboot_within_the_window(host):
    host.run()
    for process in host.timers():
        os.kill(process, signal.SIGKILL)
    assert host.boot() == 0
    assert host.is_as_before
    assert host.rollout.earlier()["reason"] == "boot"


def test_boot_after_confirmation_changes_nothing(host):
    host.run()
    host.rollout.confirm(ROLLOUT_ID)
    assert host.boot() == 0
    assert host.is_applied


def test_killed_at_any_step_is_undone(tmp_path):
    """Every point at which the run can die, each in a process that really dies; then the timer alone puts it right."""
    whole = FolderHost(tmp_path / "whole")
    steps = int(whole.run().stdout)
    assert steps > 60
    whole.time_is_up()

    def killed(kill_at: int) -> tuple[int, int, bool, str | None]:
        host = FolderHost(tmp_path / str(kill_at))
        code = host.run(kill_at=kill_at).returncode
        host.time_is_up()
        told = host.rollout.earlier()
        return kill_at, code, host.is_as_before, told and told["outcome"]

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        results = list(pool.map(killed, range(1, steps + 1)))
    assert [kill_at for kill_at, code, *_rest in results if code != -signal.SIGKILL] == []
    assert [kill_at for kill_at, _code, as_before, _outcome in results if not as_before] == []
    assert {outcome for *_rest, outcome in results} == {None, "rolled_back"}


def test_roll_back_killed_on_its_way_is_repeated(host):
    host.run()
    folder = host.rollout.folder
    (host.etc / "pam.d/sshd").unlink()
    os.link(folder.armed / "file-0", host.etc / "pam.d/sshd")  # already rolled back
    (host.etc / "pam.d/.sshd.0123456789ab.fleetmfa").write_bytes(b"half")  # and the next one died on its way
    assert host.boot() == 0
    assert host.is_as_before


def test_a_hanging_run_is_killed_when_its_time_is_up(host):
    folder = host.rollout.folder
    host.run()
    script = f"import fcntl, os, time; f = open({str(folder.path / 'lock')!r}, 'r+'); fcntl.flock(f, 2);"
    script += "os.pwrite(f.fileno(), f'{os.getpid():<16}'.encode(), 0); print(flush=True); time.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as hanging:
        hanging.stdout.readline()
        assert host.boot() == 0
        assert hanging.wait(60) == -signal.SIGKILL
    assert host.is_as_before


def test_a_stranger_is_not_killed_for_the_number_in_the_lock(host):
    """The number of a run that is gone belongs to somebody else now; what holds the lock has written none.

    Without the lock nothing is put back: whoever holds it may be in the middle of a change. It is tried again.
    """
    lock = host.rollout.folder.path / "lock"
    host.run()
    changed = host.files()
    with subprocess.Popen(["sleep", "600"]) as stranger, lock.open("r+b") as held:
        held.write(f"{stranger.pid:<16}".encode())
        held.flush()
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(FleetMfaError, match="another roll-out is running"), host.rollout.folder.lock(0.1, True):
            pass
        assert stranger.poll() is None and host.files() == changed
        roll_back = host.start_boot()
        held.close()
        assert roll_back.wait() == 0
        assert stranger.poll() is None
        stranger.kill()
    assert host.is_as_before


def test_roll_back_does_without_the_work_when_the_lock_is_not_to_be_had(host, monkeypatch):
    """And says so in the log; killing the holder is no proof that the lock is free."""
    monkeypatch.setattr(program, "_LOCK_PATIENCE", 0.1)
    monkeypatch.setattr(program, "_PAUSE", 0.1)
    said = []
    monkeypatch.setattr(program, "_log", lambda *words: said.append(words))
    host.run()
    changed = host.files()
    with (host.rollout.folder.path / "lock").open("r+b") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        held.truncate(0)
        assert program.main([str(host.rollout.folder.path), ROLLOUT_ID, "boot"]) == 1
    assert host.files() == changed and len(said) == 3 and "is running" in said[0][2][0]
    assert program.main([str(host.rollout.folder.path), ROLLOUT_ID, "boot"]) == 0
    assert host.is_as_before


def test_second_run_at_the_same_time_is_refused(host, monkeypatch):
    monkeypatch.setattr("ansible_collections.fleetmfa.ssh.plugins.module_utils._rollback.rollout._LOCK_PATIENCE", 0.2)
    with host.rollout.lock(), pytest.raises(FleetMfaError, match=f"process {os.getpid()}"), Rollout(
        str(host.state)
    ).lock():
        pass


def test_failure_in_the_middle_restores_everything_at_once(host):
    changes = [FileChange(str(host.etc / "pam.d/sshd"), b"new\n"), FileChange(str(host.etc / "gone/x.conf"), b"x\n")]
    with host.rollout.lock(), pytest.raises(FleetMfaError, match="gone/x.conf.*the old configuration is restored"):
        host.rollout.start(ROLLOUT_ID, changes, 60, sshd=None)
    assert host.is_as_before
    assert host.rollout.earlier()["reason"] == "failure"


def test_applied_files_keep_what_is_not_content(host):
    before = host.before["pam.d/sshd"]
    host.run()
    assert host.files()["pam.d/sshd"][1:4] + host.files()["pam.d/sshd"][5:] == before[1:4] + before[5:]


def test_attributes_come_back_from_a_disk_that_cannot_hold_them(other_disk, tmp_path):
    with pytest.raises(OSError, match="not supported"):
        os.setxattr(other_disk, "user.x", b"x")
    host = FolderHost(tmp_path, other_disk)
    assert host.run(timeout=600).returncode == 0
    assert host.is_applied
    assert host.boot() == 0
    assert host.is_as_before


def test_content_comes_back_where_an_attribute_cannot_and_nobody_writes_more(host, monkeypatch):
    """And no ACL, whose mask the group bits of the mode are, leaves the group with more than it had."""
    host.run()
    (host.state / "rollout/armed/file-0").chmod(0o600)  # not linked then, but copied

    def refuse(_file, name, _value):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "setxattr", refuse)
    host.rollout.roll_back(ROLLOUT_ID)
    restored = host.etc / "pam.d/sshd"
    assert (restored.read_bytes(), stat.S_IMODE(restored.stat().st_mode)) == (b"old \xff content\n", 0o604)
    assert not writers(restored)


def test_a_snapshot_of_the_first_version_is_restored(host):
    """It kept no record of attributes beside the copies."""
    host.run()
    path = host.state / "rollout/armed/manifest.json"
    manifest = json.loads(path.read_bytes())
    for entry in manifest["files"]:
        entry.pop("attributes", None)
    path.write_text(json.dumps(manifest))
    host.rollout.settle()
    assert host.is_as_before


def test_a_file_that_cannot_be_replaced_keeps_nobody_from_the_way_back(host):
    """Immutable by the time of the roll-back, or all the time, but not changed: nothing has to be done to it."""
    target = host.etc / "pam.d/sshd"
    if subprocess.run(["chattr", "+i", str(host.etc / "ssh")], check=False).returncode:
        pytest.skip("no chattr on this file system")
    try:
        changes = [FileChange(str(target), b"new\n"), FileChange(str(host.etc / "ssh/99-removed.conf"), b"new\n")]
        with host.rollout.lock(), pytest.raises(
            FleetMfaError, match="Operation not permitted.*the old configuration is restored"
        ):
            host.rollout.start(ROLLOUT_ID, changes, 60, sshd=None)
    finally:
        subprocess.run(["chattr", "-i", str(host.etc / "ssh")], check=True)
    assert host.is_as_before


def test_a_folder_made_for_a_file_goes_with_it(host):
    change = FileChange(str(host.etc / "ssh/sshd_config.d/00.conf"), b"x\n", own_folder=True)
    with host.rollout.lock():
        host.rollout.start(ROLLOUT_ID, [change], 60, sshd=None)
    assert (host.etc / "ssh/sshd_config.d/00.conf").exists()
    host.rollout.roll_back(ROLLOUT_ID)
    assert not (host.etc / "ssh/sshd_config.d").exists()


def test_a_folder_removed_with_its_file_comes_back_with_it(host):
    (host.etc / "own").mkdir()
    (host.etc / "own/00.conf").write_bytes(b"x\n")
    with host.rollout.lock():
        host.rollout.start(
            ROLLOUT_ID, [FileChange(str(host.etc / "own/00.conf"), None, own_folder=True)], 60, sshd=None
        )
    assert not (host.etc / "own").exists()
    host.rollout.roll_back(ROLLOUT_ID)
    assert (host.etc / "own/00.conf").read_bytes() == b"x\n"


def test_nothing_is_changed_where_the_roll_back_program_does_not_start(host, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with host.rollout.lock(), pytest.raises(FleetMfaError, match="does not start with /.*false; nothing was changed"):
        host.rollout.start(ROLLOUT_ID, [FileChange(str(host.etc / "pam.d/sshd"), b"new\n")], 60, sshd=None)
    assert host.is_as_before
    assert host.rollout.earlier() is None
