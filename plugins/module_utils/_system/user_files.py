# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Reads a file that a user controls, for root. Private to the collection.

The user chooses what has the name, and may replace it at any moment. So it is opened with the rights of the user, who
gains nothing by a link; a file server that does not trust root answers, too. Everything is checked on what was opened,
not on the name: a regular file of the user's own, in a folder that nobody else can write to.
"""

from __future__ import annotations

import errno
import os
import pwd
import stat

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.as_user import as_user

_FOUND, _REFUSED = b"+", b"-"
_REASONS = {
    errno.ELOOP: "it is a symbolic link",
    errno.EIO: "its file system gave no answer within 10 seconds, or failed",
}


def read_users_file(user: pwd.struct_passwd, path: str, limit: int) -> bytes | None:
    """None if there is no such file. A FleetMfaError says why it cannot be trusted, or not be read."""
    try:
        told = as_user(user, _read, user.pw_uid, path, limit)
    except FileNotFoundError:
        return None
    except OSError as error:
        reason = _REASONS.get(error.errno or 0, f"it cannot be read with the user's rights ({error.strerror})")
        raise FleetMfaError(reason) from error
    if told.startswith(_REFUSED):
        raise FleetMfaError(told[len(_REFUSED) :].decode())
    return told[len(_FOUND) :]


def _read(uid: int, path: str, limit: int) -> bytes:
    """Runs with the rights of the user."""
    folder, name = os.path.split(path)
    at = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    # A FIFO would block without O_NONBLOCK.
    file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC, dir_fd=at)
    refusal = _folder_refusal(os.fstat(at), uid) or _file_refusal(os.fstat(file), uid, limit)
    if refusal:
        return _REFUSED + refusal.encode()
    with os.fdopen(file, "rb") as handle:
        content = handle.read(limit + 1)
    return _FOUND + content if len(content) <= limit else _REFUSED + _too_large(limit).encode()


def _folder_refusal(status: os.stat_result, uid: int) -> str | None:
    if status.st_uid not in (0, uid):
        return "its folder belongs to another user"
    return "others can write to its folder" if status.st_mode & 0o022 else None


def _file_refusal(status: os.stat_result, uid: int, limit: int) -> str | None:
    if not stat.S_ISREG(status.st_mode):
        return "it is not a regular file"
    if status.st_uid != uid:
        return "it belongs to another user"
    if status.st_nlink > 1:
        return "it has another name elsewhere (a hard link)"
    if status.st_mode & 0o022:
        return "others can write to it"
    if status.st_mode & 0o077:
        return "others can read it"
    return _too_large(limit) if status.st_size > limit else None


def _too_large(limit: int) -> str:
    return f"it has more than {limit} bytes"
