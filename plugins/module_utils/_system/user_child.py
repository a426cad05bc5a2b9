# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""One process that does things with the rights of many users in turn, for a call that asks about thousands. Private.

It takes the user's rights as its effective ones and returns to root's, so it runs only code that opens and reads. A user can
neither signal nor trace it, since its real user id stays root's.
"""

from __future__ import annotations

import errno
import os
import pickle
import pwd
import select
import signal
import time
from typing import Any, Callable, NamedTuple, NoReturn

from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import group_ids

_LENGTH = 4
_ENDS_WITHIN = 1  # seconds


class Task(NamedTuple):
    """A function of a module, by reference, and its arguments; it returns bytes, or raises an OSError."""

    function: Callable[..., bytes]
    arguments: tuple[Any, ...] = ()


class UserChild:
    """Started with the first task. One that gives no answer within `seconds` is given up, and the next gets another process."""

    def __init__(self, seconds: float):
        self._seconds = seconds
        self._process = 0

    def ask(self, user: pwd.struct_passwd, task: Task) -> bytes:
        """What the function returns; the OSError that it raises, or EIO where there is no answer."""
        if not self._process:
            self._start()
        request = pickle.dumps((user.pw_uid, user.pw_gid, sorted(group_ids(user)), task))
        try:
            os.write(self._to, len(request).to_bytes(_LENGTH, "big") + request)
            answer = self._answer()
        except OSError:
            answer = b""
        if not answer:
            self.end()
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        code = int.from_bytes(answer[:2], "big")
        if code:
            raise OSError(code, os.strerror(code))
        return answer[2:]

    def end(self) -> None:
        """A process that is not held up ends when nothing more can come; one that is, by a dead file server, is not waited for."""
        if self._process:
            os.close(self._to)
            os.close(self._from)
            deadline = time.monotonic() + _ENDS_WITHIN
            while not os.waitpid(self._process, os.WNOHANG)[0]:
                if time.monotonic() > deadline:
                    os.kill(self._process, signal.SIGKILL)
                    break
                time.sleep(0.005)
            self._process = 0

    def _start(self) -> None:
        from_parent, self._to = os.pipe()
        self._from, to_parent = os.pipe()
        self._process = os.fork()
        if self._process == 0:
            os.close(self._to)
            os.close(self._from)
            _serve(from_parent, to_parent)
        os.close(from_parent)
        os.close(to_parent)

    def _answer(self) -> bytes:
        head = self._read(_LENGTH)
        return self._read(int.from_bytes(head, "big")) if head else b""

    def _read(self, size: int) -> bytes:
        """Nothing if the process is silent, or has ended."""
        parts = b""
        while len(parts) < size:
            if not select.select([self._from], [], [], self._seconds)[0]:
                return b""
            part = os.read(self._from, size - len(parts))
            if not part:
                return b""
            parts += part
        return parts


def _serve(requests: int, answers: int) -> NoReturn:
    """Never returns: this is the child. Whatever goes wrong ends it, which the parent notices."""
    try:
        with os.fdopen(requests, "rb") as reading, os.fdopen(answers, "wb") as writing:
            while True:
                size = int.from_bytes(reading.read(_LENGTH), "big")
                if not size:
                    break
                uid, gid, groups, task = pickle.loads(reading.read(size))  # noqa: S301  # of our own process
                answer = _done(uid, gid, groups, task)
                writing.write(len(answer).to_bytes(_LENGTH, "big") + answer)
                writing.flush()
    finally:
        os._exit(0)


def _done(uid: int, gid: int, groups: list[int], task: Task) -> bytes:
    code, result = 0, b""
    os.setgroups(groups)
    os.setegid(gid)
    os.seteuid(uid)
    try:
        result = task.function(*task.arguments)
    except OSError as error:
        code = error.errno or errno.EIO
    finally:
        os.seteuid(0)
        os.setegid(0)
    return code.to_bytes(2, "big") + result
