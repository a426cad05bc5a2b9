# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Copies of the files that a roll-out is about to change, and their restoration. Private to the collection.

A copy has the owner, mode, times and extended attributes (SELinux label, ACL) of the file, so restoring it takes only a
hard link and rename(2). That works on a full disk, and a process killed in between leaves either the old or the new
file. The attributes are also recorded separately, because the copy may be on a file system that does not support all of
them.

This file also runs without Ansible, inside the roll-back program.
"""

from __future__ import annotations

import contextlib
import glob
import json
import os
import secrets
from pathlib import Path
from typing import Mapping

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._rollback.record import CopiedFile, RolloutFacts
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.file_attributes import (
    Attributes,
    give_what_can_be_given,
    read_attributes,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.files import FileChange, find_file, sync_folder

_MANIFEST = "manifest.json"


def take(folder: Path, changes: list[FileChange], facts: RolloutFacts) -> None:
    """Create `folder` on disk, with a copy of each file that `changes` affect, and `facts` about the roll-out."""
    folder.mkdir(mode=0o700)
    files: list[CopiedFile] = []
    for number, change in enumerate(changes):
        entry: CopiedFile = {"path": change.path, "own_folder": change.own_folder, "copy": None}
        if change.before is not None:
            copy, attributes = f"file-{number}", _attributes(Path(change.path))
            entry["copy"], entry["attributes"] = copy, attributes.as_json()
            _copy(Path(change.path), folder / copy, attributes)
        files.append(entry)
    write_json(folder / _MANIFEST, {**facts, "files": files})
    sync_folder(folder)


def manifest(folder: Path) -> RolloutFacts:
    facts: RolloutFacts = json.loads((folder / _MANIFEST).read_bytes())
    return facts


def differs(folder: Path) -> bool:
    """Whether any file has changed since the snapshot was taken."""
    return any(not _is_as_before(folder, entry) for entry in manifest(folder)["files"])


def restore(folder: Path) -> tuple[list[str], list[str]]:
    """Restore every file. Returns which ones could not be restored, with reasons, and which attributes restored files
    have lost.

    May be repeated. An unchanged file is not touched, since it may be one that cannot be replaced.
    """
    problems, losses = [], []
    for entry in manifest(folder)["files"]:
        try:
            lost = _put_back(folder, entry)
        except OSError as error:
            problems.append(f"{entry['path']}: {error.strerror}")
        else:
            losses += [f"{entry['path']}: {lost}"] if lost else []
    return problems, losses


def _is_as_before(folder: Path, entry: CopiedFile) -> bool:
    if entry["copy"] is None:
        return not os.path.lexists(entry["path"])
    copy = folder / entry["copy"]
    try:
        found = find_file(entry["path"])
    except FleetMfaError:
        return False
    return found is not None and found[:2] == (copy.read_bytes(), _recorded(entry, copy))


def _recorded(entry: CopiedFile, copy: Path) -> Attributes:
    """The first version recorded nothing besides the copy's own attributes."""
    return Attributes.from_json(entry["attributes"]) if "attributes" in entry else _attributes(copy)


def _put_back(folder: Path, entry: CopiedFile) -> str:
    """Returns what the file has lost, "" if nothing."""
    target = Path(entry["path"])
    if entry["copy"] is None:
        _take_away(target, entry["own_folder"])
        return ""
    if entry["own_folder"]:
        target.parent.mkdir(mode=0o755, exist_ok=True)
    _remove_litter(target)
    lost = ""
    if not _is_as_before(folder, entry):
        copy = folder / entry["copy"]
        temporary = target.with_name(f".{target.name}.{secrets.token_hex(6)}.fleetmfa")
        lost = _link_or_copy(copy, temporary, _recorded(entry, copy))
        temporary.replace(target)
    sync_folder(target.parent)
    return lost


def _take_away(target: Path, own_folder: bool) -> None:
    if not target.parent.is_dir():
        return
    _remove_litter(target)
    with contextlib.suppress(FileNotFoundError):
        target.unlink()
    sync_folder(target.parent)
    if own_folder:
        with contextlib.suppress(OSError):  # another program created something there in the meantime
            target.parent.rmdir()


def _remove_litter(target: Path) -> None:
    """Remove temporary files of a writer that was killed (see _system/files.py)."""
    for litter in target.parent.glob(f".{glob.escape(target.name)}.{'[0-9a-f]' * 12}.fleetmfa"):
        litter.unlink()


def _link_or_copy(source: Path, target: Path, attributes: Attributes) -> str:
    if _attributes(source) == attributes:
        try:
            os.link(source, target, follow_symlinks=False)
            return ""
        except OSError:  # another file system, or one without hard links
            pass
    return _copy(source, target, attributes)


def _copy(source: Path, target: Path, attributes: Attributes) -> str:
    """Copy everything except the inode number. Returns what could not be copied, "" if nothing. Nobody else opens it
    before it is complete."""
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as handle:
            handle.write(source.read_bytes())
            handle.flush()
            lost = give_what_can_be_given(descriptor, attributes)
            status = source.lstat()
            os.utime(descriptor, ns=(status.st_atime_ns, status.st_mtime_ns))
            os.fsync(descriptor)
    except OSError:
        target.unlink()
        raise
    return lost


def _attributes(path: Path) -> Attributes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return read_attributes(descriptor)
    finally:
        os.close(descriptor)


def write_json(path: Path, value: Mapping[str, object]) -> None:
    with path.open("w", encoding="utf-8") as handle:
        handle.write(json.dumps(value, indent=1))
        handle.flush()
        os.fsync(handle.fileno())
