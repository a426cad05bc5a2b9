# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Many at the door: one user's flood is that user's own trouble."""

from __future__ import annotations

import contextlib
import os
import pwd
import signal
import socket
import tempfile
import threading
import time

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.root import doorkeeper
from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.root.doorkeeper import PER_USER, Doorkeeper, user_id
from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.user.door import Door
from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.tests.support.enrollment_host import OpenDoor, as_user

SILENT_SECONDS = 3  # for those whose silence is waited for
GENEROUS_SECONDS = 120  # more than any of it takes on a busy machine
DAEMON, NOBODY = (pwd.getpwnam(name).pw_uid for name in ("daemon", "nobody"))

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs other users")


def patient(connection):
    """Like the service: a caller has so long to say something, and is answered by its user id."""
    connection.settimeout(SILENT_SECONDS)
    with contextlib.suppress(OSError):
        if connection.recv(100):
            connection.sendall(b'{"user": %d}' % user_id(connection))


@pytest.fixture
def door():
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)  # noqa: S103
        opened = OpenDoor(f"{folder}/socket", patient)
        opened.path = f"{folder}/socket"
        yield opened
        opened.close()


def knock(path):
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(GENEROUS_SECONDS)
    connection.connect(path)
    return connection


def ask(path):
    return Door(path).status(GENEROUS_SECONDS)["user"]


@contextlib.contextmanager
def flood(path, uid, threads=64):
    """So many threads of one user that open the door and say nothing, again and again."""
    stop = threading.Event()

    def knock_on():
        while not stop.is_set():
            with contextlib.suppress(OSError), knock(path) as connection:
                connection.recv(1)

    process = os.fork()
    if process == 0:
        os.setuid(uid)
        workers = [threading.Thread(target=knock_on, daemon=True) for _round in range(threads)]
        for worker in workers:
            worker.start()
        signal.pause()
    try:
        yield
    finally:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)


def test_others_get_through_a_flood(door):
    with flood(door.path, NOBODY):
        while "more than" not in door.log:
            time.sleep(0.01)
        for _round in range(50):
            assert as_user(DAEMON, lambda: ask(door.path)) == DAEMON
    assert door.log.count("\n") == 1 and f"user id {NOBODY} has more than {PER_USER}" in door.log


def test_what_is_too_much_is_refused_and_the_rest_is_served(door):
    connections = [knock(door.path) for _round in range(PER_USER)]
    with pytest.raises(FleetMfaError, match="does not answer"):
        ask(door.path)
    for connection in connections:
        connection.sendall(b"status\n")
        assert connection.recv(100) == b'{"user": 0}'
        connection.close()
    deadline = time.monotonic() + GENEROUS_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(FleetMfaError):
            assert ask(door.path) == 0
            return
    raise AssertionError("the places were not free again")


def test_a_full_queue_is_waited_for(tmp_path):
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(0)
        with knock(path) as first:
            first.sendall(b"status\n")
            threading.Timer(0.5, lambda: [_answer(listener), _answer(listener)]).start()
            assert ask(path) == 1


def _answer(listener):
    connection, _address = listener.accept()
    with connection:
        connection.recv(100)
        connection.sendall(b'{"user": 1}')


def test_more_users_than_there_is_room_for_wait(door, monkeypatch):
    monkeypatch.setattr(doorkeeper, "AT_ONCE", 2)
    path = door.path + "2"
    small = OpenDoor(path, patient)
    silent = [knock(path) for _round in range(2)]
    started = time.monotonic()
    assert as_user(DAEMON, lambda: ask(path)) == DAEMON
    assert time.monotonic() - started > SILENT_SECONDS / 2
    small.close()
    for connection in silent:
        connection.close()


def test_it_ends_when_nobody_comes_and_finishes_what_it_serves(tmp_path):
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(8)
        with knock(path) as waiting:
            waiting.sendall(b"status\n")
            before = signal.getsignal(signal.SIGTERM)
            try:
                Doorkeeper(listener, patient).keep(idle_seconds=0.2)
            finally:
                signal.signal(signal.SIGTERM, before)
            assert waiting.recv(100) == b'{"user": 0}'


def test_being_stopped_does_not_cut_a_request_short(door):
    path = door.path + "2"
    greeting = OpenDoor(path, lambda connection: (connection.sendall(b"come in"), patient(connection)))
    with knock(path) as connection:
        assert connection.recv(100) == b"come in"
        os.kill(greeting.process, signal.SIGTERM)
        connection.sendall(b"status\n")
        assert connection.recv(100) == b'{"user": 0}'
    os.waitpid(greeting.process, 0)


def test_a_signal_that_comes_just_before_it_waits(tmp_path):
    """What the handler of SIGTERM raises would come after the wait, if the signal itself did not end the wait."""
    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(tmp_path / "socket"))
            listener.listen(8)
            keeper = Doorkeeper(listener, patient)
            with keeper._woken_by_signals():
                signal.raise_signal(signal.SIGUSR1)
                assert keeper._somebody_comes(GENEROUS_SECONDS), "it waited until nobody came"
                assert not keeper._somebody_comes(0)
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_an_error_in_one_request_ends_no_other(door):
    path = door.path + "2"
    broken = OpenDoor(path, lambda connection: 1 / 0)
    for _round in range(3):
        with knock(path) as connection:
            assert connection.recv(100) == b""
    assert "ZeroDivisionError" in broken.log
    broken.close()
