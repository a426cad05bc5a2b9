# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys import state_dir as keys_state_dir
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.key_file import KeyFile, KeySettings
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.state_dir import StateDir, check_user_name

OLD, NEW = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", "KRUGKIDROVUWG2ZAKRUGKIDROVUWG2ZA"


def key(secret=OLD):
    return KeyFile.create(secret, KeySettings(), "Example", "alice", ["10000001"], 1000)


@pytest.fixture
def state_dir(tmp_path):
    state_dir = StateDir(str(tmp_path / "state"))
    with state_dir.lock():
        state_dir.prepare()
    return state_dir


@pytest.mark.parametrize("name", ["alice", "a.b", "user@domain", "DOMAIN\\user", "x-y_z$", "j\u00fcrgen", "a b", "0"])
def test_names_that_may_have_a_key(name):
    check_user_name(name)


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../x", "a/b", "/etc/passwd", "-x", ".hidden", "a\0b", "a\nb", "a\x7f", "a,b", "a:b", "a~b", " a", "a ",
     "\u200b", "\udcff", "x" * 201],
)  # fmt: skip
def test_names_that_are_refused(name, state_dir):
    for attempt in (check_user_name, state_dir.pending, state_dir.validated, state_dir.remove_pending):
        with pytest.raises(FleetMfaError):
            attempt(name)
    with pytest.raises(FleetMfaError):
        state_dir.save_pending(name, key())


def test_pending_becomes_validated_in_one_step(state_dir):
    state_dir.save_pending("alice", key())
    assert (state_dir.pending("alice"), state_dir.validated("alice")) == (key(), None)
    state_dir.promote("alice", key().with_burnt([1, 2]))
    assert (state_dir.pending("alice"), state_dir.validated("alice")) == (None, key().with_burnt([1, 2]))
    assert state_dir.users() == ["alice"]
    state_dir.converge_validated("alice", lambda _current: None)
    assert state_dir.users() == []


def test_the_guard_forgets_a_key_that_is_replaced_or_removed(state_dir):
    record = Path(state_dir.path, "guard", "alice")
    state_dir.converge_validated("alice", lambda _current: key(OLD))
    record.touch()
    state_dir.converge_validated("alice", lambda _current: key(OLD).with_burnt([1]))
    state_dir.save_pending("alice", key(OLD))
    state_dir.promote("alice", key(OLD))
    assert record.exists(), "the same key"
    state_dir.save_pending("alice", key(NEW))
    state_dir.promote("alice", key(NEW))
    assert not record.exists()
    record.touch()
    state_dir.converge_validated("alice", lambda _current: key(OLD))
    assert not record.exists()
    record.touch()
    state_dir.converge_validated("alice", lambda _current: None)
    assert not record.exists()


def test_everything_is_private(state_dir):
    state_dir.save_pending("alice", key())
    paths = [Path(state_dir.path), *Path(state_dir.path).rglob("*")]
    assert {path.name: oct(path.stat().st_mode & 0o777) for path in paths} == {
        "state": "0o700", "keys": "0o700", "pending": "0o700", "guard": "0o700", "enforced": "0o700", "lock": "0o600", "alice": "0o600",
    }  # fmt: skip


def test_a_folder_open_to_reading_is_closed(state_dir):
    Path(state_dir.path, "keys").chmod(0o755)
    with state_dir.lock():
        state_dir.prepare()
    assert os.stat(f"{state_dir.path}/keys").st_mode & 0o777 == 0o700


@pytest.mark.parametrize("folder", ["", "keys", "pending"])
@pytest.mark.parametrize("mode", [0o770, 0o707, 0o1777])
def test_a_folder_others_can_write_to_is_refused(state_dir, folder, mode):
    os.chmod(f"{state_dir.path}/{folder}", mode)
    with pytest.raises(FleetMfaError, match="users other than root can write"), state_dir.lock():
        pass


def test_a_folder_below_one_that_others_can_write_to_is_refused(tmp_path):
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    with pytest.raises(FleetMfaError, match="users other than root can replace"), StateDir(
        f"{tmp_path}/open/a/b"
    ).lock():
        pass
    assert list((tmp_path / "open").iterdir()) == []


@pytest.mark.parametrize("folder", ["", "keys", "pending"])
def test_a_symbolic_link_in_place_of_a_folder_is_refused(tmp_path, folder):
    (tmp_path / "elsewhere").mkdir()
    target = tmp_path / "state" / folder
    target.parent.mkdir(mode=0o700, exist_ok=True)
    target.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FleetMfaError, match="symbolic link"), StateDir(str(tmp_path / "state")).lock():
        pass
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_what_is_no_regular_file_is_refused_and_nothing_hangs(state_dir, tmp_path):
    keys = Path(state_dir.path, "keys")
    (tmp_path / "target").write_text("x")
    (keys / "link").symlink_to(tmp_path / "target")
    (keys / "dangling").symlink_to(tmp_path / "nowhere")
    os.mkfifo(keys / "fifo")
    (keys / "folder").mkdir()
    for name in ("link", "dangling", "fifo", "folder"):
        with pytest.raises(FleetMfaError, match=name):
            state_dir.validated(name)
        with pytest.raises(FleetMfaError, match=name):
            state_dir.converge_validated(name, lambda _current: key())
    assert (tmp_path / "target").read_text() == "x"
    assert not (tmp_path / "nowhere").exists()


def test_users_are_not_temporary_files(state_dir):
    for name in (".alice.0123456789ab.fleetmfa", "alice~aB3dE6", "bob"):
        Path(state_dir.path, "keys", name).touch()
    assert state_dir.users() == ["bob"]


def test_what_killed_runs_leave_is_cleared_and_a_login_in_flight_is_not(state_dir):
    keys = Path(state_dir.path, "keys")
    ours, old, fresh = keys / ".alice.0123456789ab.fleetmfa", keys / "alice~aB3dE6", keys / "bob~aB3dE6"
    for path in (ours, old, fresh):
        path.touch()
    os.utime(old, (0, 0))
    with state_dir.lock():
        state_dir.prepare()
    assert [path.exists() for path in (ours, old, fresh)] == [False, False, True]


def test_relative_path_is_refused():
    with pytest.raises(FleetMfaError, match="absolute"):
        StateDir("fleetmfa")


def test_the_lock_is_held_against_others_and_not_against_itself(state_dir):
    other = StateDir(state_dir.path)
    refused = pytest.raises(FleetMfaError, match="locked by another")
    with state_dir.lock(), state_dir.lock(), refused, other.lock(wait=0.05):
        pass
    with other.lock(wait=0.05):
        pass


def test_the_lock_goes_with_a_killed_process(state_dir):
    program = (
        "import sys, time\n"
        "from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.state_dir import StateDir\n"
        "with StateDir(sys.argv[1]).lock():\n"
        "    print('held', flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, state_dir.path], stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\n"
        holder.kill()
    with state_dir.lock(wait=1):
        pass


class Logins(threading.Thread):
    """Rewrites the file as the PAM module does: temporary file, comparison, time passes, rename."""

    def __init__(self, path, rounds, pause):
        super().__init__()
        self.path, self.rounds, self.pause = path, rounds, pause
        self.used = []

    def run(self):
        for step in range(1, self.rounds + 1):
            seen = keys_state_dir.identity(str(self.path))
            content = KeyFile.parse(self.path.read_bytes())
            temporary = self.path.with_name(f"{self.path.name}~{step:06}")
            temporary.write_bytes(content.with_burnt([step]).render())
            temporary.chmod(0o400)
            if keys_state_dir.identity(str(self.path)) == seen:
                time.sleep(self.pause)
                temporary.rename(self.path)
                self.used.append(step)
            else:
                temporary.unlink()
            time.sleep(0.001)


@pytest.mark.parametrize("seconds", [0, 0.05])
def test_what_a_login_writes_between_our_reading_and_our_writing_is_kept(state_dir, seconds):
    """Done at once, or with its temporary file there and the rename to come."""
    state_dir.converge_validated("alice", lambda _current: key())
    path = Path(state_dir.path, "keys", "alice")
    logins = []

    def change(current):
        if not logins:
            temporary = path.with_name("alice~aB3dE6")
            temporary.write_bytes(current.with_burnt([7]).render())
            logins.append(threading.Timer(seconds, lambda: temporary.rename(path)))
            logins[0].start()
            if not seconds:
                logins[0].join()
        return current.merged(KeySettings(9), "Example", "alice")

    state_dir.converge_validated("alice", change)
    logins[0].join()
    found = state_dir.validated("alice")
    assert (found.window, 7 in found.used_steps) == (9, True)


def test_a_login_in_flight_neither_undoes_a_change_nor_is_undone(state_dir):
    state_dir.converge_validated("alice", lambda _current: key())
    logins = Logins(Path(state_dir.path, "keys", "alice"), rounds=60, pause=0.003)
    logins.start()
    for window in range(4, 24):
        state_dir.converge_validated(
            "alice", lambda current, w=window: current.merged(KeySettings(w), "Example", "alice")
        )
        assert state_dir.validated("alice").window == window
        time.sleep(0.005)
    logins.join()
    assert len(logins.used) > 5
    assert set(logins.used) <= set(state_dir.validated("alice").used_steps)


def test_a_login_with_the_old_key_in_flight_does_not_bring_it_back(state_dir):
    for _round in range(10):
        state_dir.converge_validated("alice", lambda current: current if current == key(OLD) else key(OLD))
        state_dir.save_pending("alice", key(NEW))
        logins = Logins(Path(state_dir.path, "keys", "alice"), rounds=3, pause=0.004)
        logins.start()
        time.sleep(0.002)
        state_dir.promote("alice", key(NEW))
        logins.join()
        assert state_dir.validated("alice").same_key(key(NEW))
        assert state_dir.pending("alice") is None


def test_a_removed_key_does_not_come_back(state_dir):
    state_dir.converge_validated("alice", lambda _current: key())
    path = Path(state_dir.path, "keys", "alice")
    temporary = path.with_name("alice~aB3dE6")
    temporary.write_bytes(path.read_bytes())
    login = threading.Timer(0.05, lambda: temporary.rename(path))
    login.start()
    state_dir.converge_validated("alice", lambda _current: None)
    login.join()
    assert state_dir.validated("alice") is None


def test_killed_in_the_middle_of_a_write(state_dir):
    """A process that writes for ever is killed at random moments; there is never half a key."""
    program = (
        "import sys\n"
        "from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.state_dir import StateDir\n"
        "from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.key_file import KeyFile\n"
        "state_dir = StateDir(sys.argv[1])\n"
        "with state_dir.lock():\n"
        "    state_dir.prepare()\n"
        "    key = state_dir.pending('alice')\n"
        "    print('writing', flush=True)\n"
        "    while True:\n"
        "        key = key.with_meta(count=key.meta.get('count', 0) + 1)\n"
        "        state_dir.save_pending('alice', key)\n"
    )
    state_dir.save_pending("alice", key().with_recovery_codes(str(10_000_000 + n) for n in range(500)))
    for pause in range(8):
        with subprocess.Popen([sys.executable, "-c", program, state_dir.path], stdout=subprocess.PIPE) as writer:
            assert writer.stdout.readline() == b"writing\n"
            time.sleep(0.003 * pause)
            writer.kill()
        found = state_dir.pending("alice")
        assert found.problems == []
        assert len(found.recovery_codes) == 500
    with state_dir.lock():
        state_dir.prepare()
    assert os.listdir(f"{state_dir.path}/pending") == ["alice"]
