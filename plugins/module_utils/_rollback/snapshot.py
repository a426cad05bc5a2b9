# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the fleetmfa.ssh authors
"""Copies of the files a roll-out is about to change, and the way back. Private to the collection.

A copy carries owner, mode, times and extended attributes (SELinux label, ACL), so that putting back means no more than
a hard link and rename(2): that works on a full disk, and a process killed in between leaves the one file or the other.
This file also runs without Ansible, inside the roll-back program.
"""

from __future__ import annotations

import contextlib
import glob
import json
import os
import secrets
import shutil
from pathlib import Path

from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.files import FileChange, sync_folder

_MANIFEST = "manifest.json"


def take(folder: Path, changes: list[FileChange], facts: dict) -> None:
    """Make `folder`, with a copy of each file that `changes` touch and `facts` about the roll-out, safe on disk."""
    folder.mkdir(mode=0o700)
    files = []
    for number, change in enumerate(changes):
        copy = f"file-{number}" if change.before is not None else None
        if copy:
            _copy(Path(change.path), folder / copy)
        files.append({"path": change.path, "copy": copy, "own_folder": change.own_folder})
    write_json(folder / _MANIFEST, {**facts, "files": files})
    sync_folder(folder)


def manifest(folder: Path) -> dict:
    return json.loads((folder / _MANIFEST).read_bytes())


def differs(folder: Path) -> bool:
    """Whether any file is not what it was when the snapshot was taken."""
    return any(not _is_as_before(folder, entry) for entry in manifest(folder)["files"])


def restore(folder: Path) -> list[str]:
    """Put every file back; what could not be put back, each with the reason. May be repeated."""
    problems = []
    for entry in manifest(folder)["files"]:
        try:
            _put_back(folder, entry)
        except OSError as error:
            problems.append(f"{entry['path']}: {error.strerror}")
    return problems


def _is_as_before(folder: Path, entry: dict) -> bool:
    target = Path(entry["path"])
    if entry["copy"] is None:
        return not os.path.lexists(target)
    copy = folder / entry["copy"]
    return target.is_file() and not target.is_symlink() and target.read_bytes() == copy.read_bytes()


def _put_back(folder: Path, entry: dict) -> None:
    target = Path(entry["path"])
    if entry["copy"] is None:
        _take_away(target, entry["own_folder"])
        return
    if entry["own_folder"]:
        target.parent.mkdir(mode=0o755, exist_ok=True)
    _remove_litter(target)
    if not _is_same_file(folder / entry["copy"], target):
        temporary = target.with_name(f".{target.name}.{secrets.token_hex(6)}.fleetmfa")
        _link_or_copy(folder / entry["copy"], temporary)
        temporary.replace(target)
    sync_folder(target.parent)


def _take_away(target: Path, own_folder: bool) -> None:
    if not target.parent.is_dir():
        return
    _remove_litter(target)
    with contextlib.suppress(FileNotFoundError):
        target.unlink()
    sync_folder(target.parent)
    if own_folder:
        with contextlib.suppress(OSError):  # somebody else put something there meanwhile
            target.parent.rmdir()


def _is_same_file(copy: Path, target: Path) -> bool:
    """Put back already: rename(2) does nothing between two names of one file, and would leave the temporary one."""
    return os.path.lexists(target) and os.path.samestat(copy.lstat(), target.lstat())


def _remove_litter(target: Path) -> None:
    """Temporary files of a writer that was killed (see _system/files.py)."""
    for litter in target.parent.glob(f".{glob.escape(target.name)}.{'[0-9a-f]' * 12}.fleetmfa"):
        litter.unlink()


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:  # another file system, or one without hard links
        _copy(source, target)


def _copy(source: Path, target: Path) -> None:
    """A copy with everything but the inode number; nobody else reads it before it has its owner and mode."""
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as handle:
            handle.write(source.read_bytes())
            handle.flush()
            status = source.lstat()
            os.fchown(descriptor, status.st_uid, status.st_gid)
            shutil.copystat(source, target, follow_symlinks=False)
            os.fsync(descriptor)
    except OSError:
        target.unlink()
        raise


def write_json(path: Path, value: dict) -> None:
    with path.open("w", encoding="utf-8") as handle:
        handle.write(json.dumps(value, indent=1))
        handle.flush()
        os.fsync(handle.fileno())
