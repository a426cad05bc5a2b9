# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Roll-outs in processes of their own that are really killed; files on disk, owners, modes and times are the judge."""

from __future__ import annotations

import concurrent.futures
import fcntl
import json
import os
import resource
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Iterator

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._rollback import program
from ansible_collections.fleetmfa.ssh.plugins.module_utils._rollback.rollout import Rollout
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system import systemd
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.files import FileChange
from ansible_collections.fleetmfa.ssh.tests.support.file_access import ACL, extended, one_user_writes, writers

ROLLOUT_ID = "0123456789abcdef"
# So long that no timer ends by itself in a test, however slow the machine; `time_is_up` lets it end.
A_LONG_TIME = 3600
RUN = Path(__file__).parents[4] / "support/rollout_run.py"
ROOT = os.geteuid() == 0
FOREIGN_UID = 4242 if ROOT else os.geteuid()


@pytest.fixture(autouse=True)
def _no_systemd(monkeypatch):
    monkeypatch.setattr(systemd, "is_running", lambda: False)


class FolderHost:
    """A folder that stands for a host: state directory and the files that a roll-out changes."""

    def __init__(self, root: Path, state: Path | None = None):
        self.state, self.etc = state or root / "state", root / "etc"
        (self.etc / "pam.d").mkdir(parents=True)
        (self.etc / "ssh").mkdir()
        self._write(
            "pam.d/sshd", b"old \xff content\n", 0o664, FOREIGN_UID, {ACL: one_user_writes(4444)} if ROOT else {}
        )
        self._write("ssh/99-removed.conf", b"", 0o604, os.geteuid(), {"user.origin": b"etckeeper"})
        self._write("ssh/.00-made.conf.swp", b"an editor's", 0o600, os.geteuid())
        self.before = self.files()
        self.rollout = Rollout(str(self.state))

    def _write(
        self, name: str, content: bytes, mode: int, uid: int, attributes: dict[str, bytes] | None = None
    ) -> None:
        path = self.etc / name
        path.write_bytes(content)
        os.chown(path, uid, -1)
        path.chmod(mode)
        for attribute, value in (attributes or {}).items():
            os.setxattr(path, attribute, value)
        os.utime(path, ns=(1, 1_500_000_000_123_456_789))

    def files(self) -> dict:
        found = {}
        for path in sorted(self.etc.rglob("*")):
            if path.is_file():
                status = path.stat()
                facts = (path.read_bytes(), status.st_mode, status.st_uid, status.st_gid, status.st_mtime_ns)
                found[str(path.relative_to(self.etc))] = (*facts, extended(path))
        return found

    @property
    def is_as_before(self) -> bool:
        return self.files() == self.before

    @property
    def is_applied(self) -> bool:
        return (self.etc / "ssh/00-made.conf").exists() and not (self.etc / "ssh/99-removed.conf").exists()

    def run(self, timeout: int = A_LONG_TIME, kill_at: int = 0) -> subprocess.CompletedProcess:
        command = [sys.executable, str(RUN), str(self.state), str(self.etc), ROLLOUT_ID, str(timeout), str(kill_at)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def timers(self) -> dict[int, list[str]]:
        """The timers that run: process id and command line."""
        program = str(self.rollout.folder.program)
        found = {}
        for process in Path("/proc").glob("[0-9]*"):
            try:
                arguments = (process / "cmdline").read_bytes().decode().split("\0")[:-1]
            except OSError:
                continue
            if program in arguments and "--after" in arguments:
                found[int(process.name)] = arguments
        return found

    def time_is_up(self) -> None:
        """The timer that the roll-out has started comes to its end: the same command, with a second left to wait."""
        deadline = time.monotonic() + 60
        # A process that has just been started shows no command line for a moment.
        while self.rollout.folder.armed.exists() and not self.timers():
            assert time.monotonic() < deadline, "armed without a timer"
            time.sleep(0.05)
        for process, arguments in self.timers().items():
            os.kill(process, signal.SIGKILL)
            place = arguments.index("--after") + 1
            subprocess.run([*arguments[:place], "1", *arguments[place + 1 :]], check=True, env={})

    def wait_for_timer(self, seconds: float = 120) -> None:
        deadline = time.monotonic() + seconds
        while self.timers():
            assert time.monotonic() < deadline, "the timer did not end"
            time.sleep(0.1)

    def start_boot(self) -> subprocess.Popen:
        """What the boot unit runs."""
        folder = self.rollout.folder
        command = [sys.executable, "-I", "-S", "-B", str(folder.program), str(folder.path), ROLLOUT_ID, "boot"]
        return subprocess.Popen(command, env={})

    def boot(self) -> int:
        return self.start_boot().wait()


@pytest.fixture
def host(tmp_path):
    host = FolderHost(tmp_path)
    yield host
    for process in host.timers():
        os.kill(process, signal.SIGKILL)


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


def test_not_confirmed_comes_back_by_itself_and_is_told(host):
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


def test_next_run_puts_back_what_still_waits(host):
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


def test_failure_in_the_middle_puts_everything_back_at_once(host):
    changes = [FileChange(str(host.etc / "pam.d/sshd"), b"new\n"), FileChange(str(host.etc / "gone/x.conf"), b"x\n")]
    with host.rollout.lock(), pytest.raises(FleetMfaError, match="gone/x.conf.*the old configuration is restored"):
        host.rollout.start(ROLLOUT_ID, changes, 60, sshd=None)
    assert host.is_as_before
    assert host.rollout.earlier()["reason"] == "failure"


def test_applied_files_keep_what_is_not_content(host):
    before = host.before["pam.d/sshd"]
    host.run()
    assert host.files()["pam.d/sshd"][1:4] + host.files()["pam.d/sshd"][5:] == before[1:4] + before[5:]


@pytest.fixture
def other_disk(tmp_path):
    """A file system for the state directory that has no user attributes."""
    yield from _mounted(tmp_path / "var", "mount -t ramfs ramfs {0}")


def test_attributes_come_back_from_a_disk_that_cannot_hold_them(other_disk, tmp_path):
    with pytest.raises(OSError, match="not supported"):
        os.setxattr(other_disk, "user.x", b"x")
    host = FolderHost(tmp_path, other_disk)
    assert host.run(timeout=60).returncode == 0
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


def test_a_snapshot_of_the_first_version_is_put_back(host):
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


@pytest.fixture
def tiny_disk(tmp_path):
    yield from _mounted(tmp_path / "disk", "mount -t tmpfs -o size=96k tmpfs {0}")


def _mounted(disk: Path, command: str) -> Iterator[Path]:
    disk.mkdir()
    if not ROOT or subprocess.run(command.format(disk).split(), check=False).returncode:
        pytest.skip("cannot mount a file system here")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def fill(disk: Path) -> None:
    """Not a byte is left."""
    with (disk / "filler").open("ab", buffering=0) as filler:
        for size in (4096, 1):
            try:
                while filler.write(b"x" * size):
                    pass
            except OSError:
                continue


def test_disk_full_from_the_start(tiny_disk):
    host = FolderHost(tiny_disk)
    fill(tiny_disk)
    with pytest.raises((FleetMfaError, OSError)), host.rollout.lock():
        host.rollout.start(ROLLOUT_ID, [FileChange(str(host.etc / "pam.d/sshd"), b"new\n")], 60, sshd=None)
    assert host.is_as_before
    assert not host.rollout.folder.armed.exists()


def test_disk_full_after_half_of_the_changes(tiny_disk):
    host = FolderHost(tiny_disk)
    changes = [
        FileChange(str(host.etc / "pam.d/sshd"), b"new\n"),
        FileChange(str(host.etc / "ssh/00.conf"), b"x" * 200_000),
    ]
    with host.rollout.lock(), pytest.raises(FleetMfaError, match="No space left.*the old configuration is restored"):
        host.rollout.start(ROLLOUT_ID, changes, 60, sshd=None)
    assert host.is_as_before


def test_disk_full_when_the_time_is_up(tiny_disk):
    host = FolderHost(tiny_disk)
    assert host.run().returncode == 0
    fill(tiny_disk)
    assert host.is_applied
    host.time_is_up()
    assert host.is_as_before
    assert host.rollout.earlier()["outcome"] == "rolled_back"


def test_file_size_limit_leaves_the_old_files(host):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    changes = [
        FileChange(str(host.etc / "pam.d/sshd"), b"new\n"),
        FileChange(str(host.etc / "ssh/00.conf"), b"x" * 2_000_000),
    ]
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
    try:
        with host.rollout.lock(), pytest.raises(FleetMfaError, match="too large.*the old configuration is restored"):
            host.rollout.start(ROLLOUT_ID, changes, 60, sshd=None)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert host.is_as_before
