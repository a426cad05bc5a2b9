# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Reading and atomic writing of the files that this collection changes. Private to the collection.

A reader sees either the old or the new content, never a mix. The new content is written to a temporary file in the same
folder (created 0600 with O_EXCL, so that nobody can read a secret in between), which gets its owner, ACL, attributes
and mode, is flushed to disk, and is renamed over the old name (rename(2) is atomic). So at no moment can anybody write
to the file who could not before, and other names of a file (hard links) keep the old content. A symbolic link is never
followed: its target is not what the administrator named.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from pathlib import Path
from typing import Callable, NamedTuple, Sequence, Tuple, TypeVar

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError, PartlyDoneError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.file_attributes import (
    Attributes,
    give_attributes,
    is_immutable,
    mark_as_made_by_us,
    own_attributes,
    read_attributes,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.file_errors import cannot

_Read = TypeVar("_Read")


class Found(NamedTuple):
    """A file as it was found."""

    content: bytes
    attributes: Attributes
    is_immutable: bool


def read_file(path: str) -> bytes | None:
    """Content of a regular file, None if there is none. A FleetMfaError if it is a symbolic link or another kind of
    file."""
    return _opened(path, _content)


def find_file(path: str) -> Found | None:
    """Like read_file(), with the file's attributes besides its content."""
    return _opened(
        path, lambda descriptor: Found(_content(descriptor), read_attributes(descriptor), is_immutable(descriptor))
    )


def _opened(path: str, read: Callable[[int], _Read]) -> _Read | None:
    """The result of `read` for a regular file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise _why_not_opened(path, error) from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise FleetMfaError(f"{path} is not a regular file; remove it and run again")
        return read(descriptor)
    except OSError as error:
        raise cannot("read", path, error) from error
    finally:
        os.close(descriptor)


def _content(descriptor: int) -> bytes:
    with os.fdopen(descriptor, "rb", closefd=False) as handle:
        return handle.read()


def _why_not_opened(path: str, error: OSError | ValueError) -> FleetMfaError:
    with contextlib.suppress(OSError, ValueError):
        if stat.S_ISLNK(os.lstat(path).st_mode):
            return FleetMfaError(_LINK.format(path=path))
    return cannot("open", path, error)


_LINK = "{path} is a symbolic link; replace it with a regular file (or remove it) and run again"


class ChangedMeanwhileError(FleetMfaError):
    """Another program replaced the file between reading and writing."""


Version = Tuple[int, int, int]


def identity(path: str) -> Version | None:
    """Distinguishes one version of a file from the next (inode, time, size); None if there is no file."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


def write_file(
    path: str, content: bytes, mode: int, uid: int = 0, gid: int = 0, only_if: Callable[[], bool] | None = None
) -> None:
    """Write `content` to `path` atomically, with this owner and mode and no other attributes; see replace_file()."""
    replace_file(path, content, Attributes(mode, uid, gid, {}), only_if)


def replace_file(path: str, content: bytes, attributes: Attributes, only_if: Callable[[], bool] | None = None) -> None:
    """Write `content` to `path` atomically. On any error the old file stays and no temporary file is left.

    `only_if` is called at the last moment. If it returns false, nothing is replaced and a ChangedMeanwhileError is
    raised.
    """
    folder, name = os.path.split(path)
    temporary = str(Path(folder) / f".{name}.{secrets.token_hex(6)}.fleetmfa")
    try:
        if Path(path).is_symlink():
            raise FleetMfaError(_LINK.format(path=path))
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as handle:
                handle.write(content)
                handle.flush()
                give_attributes(descriptor, attributes)
                os.fsync(descriptor)
            if only_if is not None and not only_if():
                raise ChangedMeanwhileError(f"{path} was changed by another program in the meantime; run again")
            os.rename(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
    except OSError as error:
        raise cannot("write", path, error) from error


def sync_folder(folder: str | Path) -> None:
    """Flush the names in the folder to disk: only then does a rename survive a crash (fsync(2))."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class FileChange:
    """One file with its content before and after; `None` means there is no file.

    An existing file keeps its owner, permissions and extended attributes; a new one belongs to us and gets `mode`. With
    `own_folder` the folder exists only for this file: it is created before it, and removed after it if it is then
    empty.
    """

    makes_folders = False

    def __init__(self, path: str, after: bytes | None, mode: int = 0o644, own_folder: bool = False):
        self.path = path
        self.own_folder = own_folder
        self.after = after
        found = find_file(path)
        self.before = found and found.content
        self.attributes_before = found and found.attributes
        self.attributes_after = self._attributes_after(mode)
        self._made_folders: list[Path] = []
        if found is not None and found.is_immutable and self.changed:
            raise FleetMfaError(
                f"{path} is immutable or append-only, so it cannot be replaced: somebody wants it to stay unchanged. "
                f"`chattr -ia {path}` allows changes again"
            )

    def _attributes_after(self, mode: int) -> Attributes:
        return self.attributes_before or own_attributes(mode)

    @property
    def changed(self) -> bool:
        if self.before is None or self.after is None:
            return self.before != self.after
        return (self.before, self.attributes_before) != (self.after, self.attributes_after)

    def apply(self) -> None:
        if self.after is None:
            self._remove()
        else:
            self._write(self.after, self.attributes_after)

    def revert(self) -> None:
        """Restore content, owner, permissions and attributes of the file; does nothing if they are unchanged."""
        if self.before is None or self.attributes_before is None:
            self._remove()
            return
        found = find_file(self.path)
        if found is None or found[:2] != (self.before, self.attributes_before):
            self._write(self.before, self.attributes_before)

    def _write(self, content: bytes, attributes: Attributes) -> None:
        parent = Path(self.path).parent
        try:
            for folder in reversed([parent, *parent.parents] if self.makes_folders else [parent] * self.own_folder):
                if not folder.is_dir():
                    folder.mkdir(mode=0o755)
                    mark_as_made_by_us(folder)
                    self._made_folders.append(folder)
        except OSError as error:
            raise cannot("create the folder of", self.path, error) from error
        replace_file(self.path, content, attributes)

    def _remove(self) -> None:
        if os.path.lexists(self.path):
            try:
                os.unlink(self.path)
            except OSError as error:
                raise cannot("remove", self.path, error) from error
        folders = self._made_folders or [Path(self.path).parent] * self.own_folder
        with contextlib.suppress(OSError):  # another program has created something there
            while folders:
                folders.pop().rmdir()

    def diff(self) -> dict[str, str]:
        """Ansible's diff structure. Only for files without secrets."""
        return {
            "before_header": self.path,
            "after_header": self.path,
            "before": (self.before or b"").decode("utf-8", "replace"),
            "after": (self.after or b"").decode("utf-8", "replace"),
        }


def apply_all(changes: Sequence[FileChange]) -> None:
    """Apply every change or, if one fails, none: all are reverted, and the error says what could not be restored."""
    tried: list[FileChange] = []
    try:
        for change in changes:
            if change.changed:
                tried.append(change)
                change.apply()
    except BaseException as error:
        left = revert_all(tried)
        if left or isinstance(error, FleetMfaError):
            raise not_applied(error, left) from error
        raise


def revert_all(changes: Sequence[FileChange]) -> list[str]:
    """Revert every change, the last first, even if some fail. Returns what could not be restored, and why."""
    left = []
    for change in reversed(changes):
        try:
            change.revert()
        except (FleetMfaError, OSError) as error:
            left.append(str(error))
    return left


def not_applied(error: BaseException, left: list[str]) -> FleetMfaError:
    """The error for a change that was reverted except for what is in `left`."""
    if not left:
        return FleetMfaError(f"{error}; every file is as it was before")
    return PartlyDoneError(f"{error}; NOT RESTORED, do it by hand: {'; '.join(left)}")
