# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Doing something with the rights of a user, as sshd does with a user's own files. Private to the collection."""

from __future__ import annotations

import contextlib
import errno
import os
import pwd
import signal
from typing import Any, Callable, Iterator

from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.user_child import Task, UserChild

_SECONDS = 10
_child: UserChild | None = None


@contextlib.contextmanager
def one_child() -> Iterator[None]:
    """Within it, one process serves all users, instead of one for each thing that is done as a user."""
    global _child
    before, _child = _child, UserChild(_SECONDS)
    try:
        yield
    finally:
        _child.end()
        _child = before


def as_user(user: pwd.struct_passwd, function: Callable[..., bytes], *arguments: Any) -> bytes:
    """What the function, one of a module, returns with the rights of that user; the OSError that it raises, or EIO where it
    ends otherwise."""
    if _child is not None and os.geteuid() == 0:
        return _child.ask(user, Task(function, arguments))
    return _in_own_process(user, lambda: function(*arguments))


def _in_own_process(user: pwd.struct_passwd, work: Callable[[], bytes]) -> bytes:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _tell(writing, user, work)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        told = pipe.read()
    os.waitpid(child, 0)
    code = int.from_bytes(told[:2], "big") if told else errno.EIO
    if code:
        raise OSError(code, os.strerror(code))
    return told[2:]


def _tell(writing: int, user: pwd.struct_passwd, work: Callable[[], bytes]) -> None:
    """Never returns: this is the child."""
    try:
        signal.alarm(_SECONDS)
        code, result = 0, b""
        try:
            os.initgroups(user.pw_name, user.pw_gid)
            os.setgid(user.pw_gid)
            os.setuid(user.pw_uid)
            result = work()
        except OSError as error:
            code = error.errno or errno.EIO
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(code.to_bytes(2, "big") + result)
    finally:
        os._exit(0)
