# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the fleetmfa.ssh authors
"""Reading and atomic writing of the files this collection changes. Private to the collection.

A reader sees the old content or the new content, never half of one: the new content goes to a temporary file in the
same folder (created 0600 with O_EXCL, so nobody reads a secret in between), gets its owner and mode, is flushed to disk
and renamed over the old name (rename(2) is atomic). A symbolic link is never followed: what stands behind it is not
what the administrator named.
"""

from __future__ import annotations

import difflib
import os
import secrets
import stat
from pathlib import Path

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError


def read_file(path: str) -> bytes | None:
    """Content of a regular file, None if there is none; a symlink or another kind of file is a FleetMfaError."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FleetMfaError(_why_not_opened(path, error)) from error
    with os.fdopen(descriptor, "rb") as handle:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise FleetMfaError(f"{path} is not a regular file; remove it and run again")
        return handle.read()


def _why_not_opened(path: str, error: OSError) -> str:
    if Path(path).is_symlink():
        return f"{path} is a symbolic link; replace it by a regular file (or remove it) and run again"
    return f"cannot open {path}: {error.strerror}"


def write_file(path: str, content: bytes, mode: int, uid: int = 0, gid: int = 0) -> None:
    """Write `content` to `path` atomically; on any error the old file stays and no temporary file is left."""
    if Path(path).is_symlink():
        raise FleetMfaError(f"{path} is a symbolic link; replace it by a regular file (or remove it) and run again")
    folder, name = os.path.split(path)
    temporary = str(Path(folder) / f".{name}.{secrets.token_hex(6)}.fleetmfa")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as handle:
                handle.write(content)
                handle.flush()
                if (os.geteuid(), os.getegid()) != (uid, gid):
                    os.fchown(descriptor, uid, gid)
                os.fchmod(descriptor, mode)
                os.fsync(descriptor)
            os.rename(temporary, path)
        except BaseException:
            _remove_quietly(temporary)
            raise
    except OSError as error:
        raise FleetMfaError(f"cannot write {path}: {error.strerror}; the old content is in place") from error


def _remove_quietly(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


class FileChange:
    """One file from its content before to its content after; `None` means there is no file.

    An existing file keeps its owner and mode, a new one gets root's and `mode`.
    """

    def __init__(self, path: str, after: bytes | None, mode: int = 0o644):
        self.path = path
        self.before = read_file(path)
        self.after = after
        self.mode, self.uid, self.gid = mode, os.geteuid(), os.getegid()
        if self.before is not None:
            status = os.stat(path, follow_symlinks=False)
            self.mode, self.uid, self.gid = stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid

    @property
    def changed(self) -> bool:
        return self.before != self.after

    def apply(self) -> None:
        self._put(self.after)

    def revert(self) -> None:
        self._put(self.before)

    def _put(self, content: bytes | None) -> None:
        if content is not None:
            write_file(self.path, content, self.mode, self.uid, self.gid)
            return
        try:
            os.unlink(self.path)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise FleetMfaError(f"cannot remove {self.path}: {error.strerror}") from error

    def diff(self) -> dict[str, str]:
        """Ansible's diff structure. Only for files without secrets."""
        return {
            "before_header": self.path,
            "after_header": self.path,
            "before": (self.before or b"").decode("utf-8", "replace"),
            "after": (self.after or b"").decode("utf-8", "replace"),
        }

    def unified_diff(self) -> str:
        lines = [self.diff()[side].splitlines(keepends=True) for side in ("before", "after")]
        return "".join(difflib.unified_diff(*lines, fromfile=self.path, tofile=self.path))


def apply_all(changes: list[FileChange]) -> None:
    """Apply every change, or, when one fails, none: those already applied are reverted and the error is raised."""
    applied: list[FileChange] = []
    for change in changes:
        if not change.changed:
            continue
        try:
            change.apply()
        except FleetMfaError:
            for done in reversed(applied):
                done.revert()
            raise
        applied.append(change)
