# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Who is let through the enrollment door, and how many at a time. Private to the collection.

Each connection is served by a separate process, so nothing of one request is left for the next. The kernel identifies
the user before anything is read, and connections above the user's limit are closed immediately: a user who floods the
door does not affect others.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import struct
import sys
import time
import traceback
from contextlib import contextmanager
from types import FrameType
from typing import Callable, Iterator, NoReturn

PER_USER = 8  # connections of one user at a time; a program uses one
AT_ONCE = 64  # of all users; further ones wait in the kernel's queue until one ends
SERVING_SECONDS = 30  # a process that takes longer is killed
IDLE_SECONDS = 60  # then the program exits; systemd starts it for the next caller
TOLD_AGAIN_SECONDS = 3600

_UCRED = struct.Struct("iII")


def user_id(connection: socket.socket) -> int:
    """The effective user id of the peer at the time it connected, which the peer cannot choose."""
    uid: int
    _pid, uid, _gid = _UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    return uid


class Doorkeeper:
    """Accepts connections from `listener` and has `serve` answer each in a separate process."""

    def __init__(self, listener: socket.socket, serve: Callable[[socket.socket], None]):
        self._listener = listener
        self._serve = serve
        self._serving: dict[int, int] = {}  # process: user id
        self._told: dict[int, float] = {}  # user id: when its flood was logged

    def keep(self, idle_seconds: float = IDLE_SECONDS) -> None:
        """Serve until nobody has connected for the idle time, or until SIGTERM. Requests in progress are finished
        first."""
        signal.signal(signal.SIGTERM, _end)
        try:
            with self._woken_by_signals():
                while self._somebody_comes(idle_seconds) or self._serving:
                    self._let_in()
        finally:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            while self._serving:
                self._reap(0)

    @contextmanager
    def _woken_by_signals(self) -> Iterator[None]:
        """A signal that arrives just before `select` would otherwise be handled only after the idle time."""
        self._woken, wakes = os.pipe()
        os.set_blocking(wakes, False)
        before = signal.set_wakeup_fd(wakes)
        try:
            yield
        finally:
            signal.set_wakeup_fd(before)
            os.close(wakes)
            os.close(self._woken)

    def _somebody_comes(self, seconds: float) -> bool:
        ready = select.select([self._listener.fileno(), self._woken], [], [], seconds)[0]
        if self._woken in ready:
            os.read(self._woken, 4096)
        return bool(ready)

    def _let_in(self) -> None:
        self._listener.settimeout(0)
        try:
            connection, _address = self._listener.accept()
        except OSError:  # nobody, or somebody who has already left
            connection = None
        self._reap(os.WNOHANG)
        while len(self._serving) >= AT_ONCE:
            self._reap(0)
        if connection is not None:
            with connection:
                self._receive(connection, user_id(connection))

    def _receive(self, connection: socket.socket, user: int) -> None:
        if sum(served == user for served in self._serving.values()) >= PER_USER:
            self._tell_log(user)
            return  # which closes it: an answer would give a flooding user more of our time
        process = os.fork()
        if process == 0:
            self._attend(connection)
        self._serving[process] = user

    def _tell_log(self, user: int) -> None:
        now = time.monotonic()
        if now - self._told.get(user, -TOLD_AGAIN_SECONDS) >= TOLD_AGAIN_SECONDS:
            self._told[user] = now
            sys.stderr.write(
                f"user id {user} has more than {PER_USER} connections open; further ones are refused, other users "
                f"are not affected (reported once in {TOLD_AGAIN_SECONDS // 60} minutes)\n"
            )
            sys.stderr.flush()

    def _attend(self, connection: socket.socket) -> NoReturn:
        """The process that serves one connection."""
        status = 1
        try:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.set_wakeup_fd(-1)
            signal.alarm(SERVING_SECONDS)
            self._listener.close()
            connection.setblocking(True)
            self._serve(connection)
            status = 0
        except BaseException:  # whatever happened, this process must not continue as the doorkeeper
            traceback.print_exc()
            sys.stderr.flush()
        finally:
            os._exit(status)

    def _reap(self, options: int) -> None:
        """Collect processes that have ended; without WNOHANG wait for one."""
        while self._serving:
            process, _status = os.waitpid(-1, options)
            if process == 0:
                return
            self._serving.pop(process, None)
            options = os.WNOHANG


def _end(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)
