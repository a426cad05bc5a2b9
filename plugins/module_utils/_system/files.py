# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the fleetmfa.ssh authors
"""Reading and atomic writing of the files this collection changes. Private to the collection.

A reader sees the old content or the new content, never half of one: the new content goes to a temporary file in the
same folder (created 0600 with O_EXCL, so nobody reads a secret in between), gets its owner and mode, is flushed to disk
and renamed over the old name (rename(2) is atomic). A symbolic link is never followed: what stands behind it is not
what the administrator named.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from pathlib import Path
from typing import Callable, Tuple

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError

# Around our lines in a file that is not ours.
BLOCK_BEGIN = b"# BEGIN fleetmfa.ssh"
BLOCK_END = b"# END fleetmfa.ssh"


def read_file(path: str) -> bytes | None:
    """Content of a regular file, None if there is none; a symlink or another kind of file is a FleetMfaError."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FleetMfaError(_why_not_opened(path, error)) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FleetMfaError(f"{path} is not a regular file; remove it and run again")
    with os.fdopen(descriptor, "rb") as handle:
        return handle.read()


def _why_not_opened(path: str, error: OSError) -> str:
    if Path(path).is_symlink():
        return f"{path} is a symbolic link; replace it by a regular file (or remove it) and run again"
    return f"cannot open {path}: {error.strerror}"


class ChangedMeanwhileError(FleetMfaError):
    """Somebody else replaced the file between the reading and the writing."""


Version = Tuple[int, int, int]


def identity(path: str) -> Version | None:
    """What tells one version of a file from the next (inode, time, size); None if there is no file."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


def write_file(
    path: str, content: bytes, mode: int, uid: int = 0, gid: int = 0, only_if: Callable[[], bool] | None = None
) -> None:
    """Write `content` to `path` atomically; on any error the old file stays and no temporary file is left.

    `only_if` is asked at the last moment; if it says no, nothing is replaced and a ChangedMeanwhileError raised.
    """
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
            if only_if is not None and not only_if():
                raise ChangedMeanwhileError(f"{path} was changed by somebody else meanwhile; run again")
            os.rename(temporary, path)
        except BaseException:
            _remove_quietly(temporary)
            raise
    except OSError as error:
        raise FleetMfaError(f"cannot write {path}: {error.strerror}; the old content is in place") from error


def _remove_quietly(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def sync_folder(folder: str | Path) -> None:
    """Have the names in the folder on disk: a rename survives a crash only then (fsync(2))."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class FileChange:
    """One file from its content before to its content after; `None` means there is no file.

    An existing file keeps its owner and mode, a new one gets root's and `mode`. With `own_folder` the folder is there
    for this file only: it is made before it, and goes with it if it is empty then.
    """

    def __init__(self, path: str, after: bytes | None, mode: int = 0o644, own_folder: bool = False):
        self.path = path
        self.own_folder = own_folder
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
        folder = Path(self.path).parent
        if content is not None:
            if self.own_folder:
                folder.mkdir(mode=0o755, exist_ok=True)
            write_file(self.path, content, self.mode, self.uid, self.gid)
            return
        try:
            os.unlink(self.path)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise FleetMfaError(f"cannot remove {self.path}: {error.strerror}") from error
        if self.own_folder:
            with contextlib.suppress(OSError):
                folder.rmdir()

    def diff(self) -> dict[str, str]:
        """Ansible's diff structure. Only for files without secrets."""
        return {
            "before_header": self.path,
            "after_header": self.path,
            "before": (self.before or b"").decode("utf-8", "replace"),
            "after": (self.after or b"").decode("utf-8", "replace"),
        }


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
