# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A set of files that is written or removed as a whole. Private to the collection."""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import os
import stat
from pathlib import Path
from typing import TypedDict

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.block import block, split
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.file_attributes import (
    ACL,
    Attributes,
    is_made_by_us,
    own_attributes,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.files import FileChange, apply_all, read_file

HOST_FILE = {
    "path": {"type": "path", "required": True},
    "content": {"type": "str", "required": True},
    "encoding": {"type": "str", "choices": ["text", "base64"], "default": "text"},
    "mode": {"type": "str", "default": "0644"},
    "block": {"type": "bool", "default": False},
    "only_beside": {"type": "path"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "restart": {"type": "bool", "default": False},
}


class FileWish(TypedDict):
    """The options above, as Ansible passes them."""

    path: str
    content: str
    encoding: str  # text or base64
    mode: str  # octal
    block: bool
    only_beside: str | None
    state: str  # present or absent
    restart: bool  # of the units


class HostFileChange(FileChange):
    """A change that also sets the owner and the permissions of the file."""

    makes_folders = True

    def _attributes_after(self, mode: int) -> Attributes:
        """An ACL is removed, since it would admit others besides the permissions; other attributes (SELinux label)
        stay."""
        present = self.attributes_before.extended if self.attributes_before else {}
        return own_attributes(mode)._replace(extended={name: present[name] for name in present if name != ACL})


def plan_host_files(files: list[FileWish], present: bool) -> list[FileChange]:
    """One change per file; nothing is written yet."""
    changes = []
    for wish in files:
        if not os.path.isabs(wish["path"]):
            raise FleetMfaError(f"path: {wish['path']} is not absolute")
        wanted = (
            present and wish["state"] == "present" and (not wish["only_beside"] or os.path.exists(wish["only_beside"]))
        )
        plan = _plan_block if wish["block"] else _plan_file
        changes.append(plan(wish, wanted))
    return changes


def _plan_file(wish: FileWish, wanted: bool) -> FileChange:
    return HostFileChange(wish["path"], _content(wish) if wanted else None, _mode(wish))


def _plan_block(wish: FileWish, wanted: bool) -> FileChange:
    """The block is placed at the top, where no line ending is needed before it, or stays where it has been moved to."""
    before = read_file(wish["path"])
    if before is None:
        return FileChange(wish["path"], None)
    parts = split(before, wish["path"])
    if not wanted:
        return FileChange(wish["path"], parts.without)
    ours = block(_content(wish), f"the content for {wish['path']}")
    return FileChange(wish["path"], ours + before if parts.inside is None else parts.head + ours + parts.tail)


def _content(wish: FileWish) -> bytes:
    if wish["encoding"] == "text":
        return wish["content"].encode("utf-8")
    try:
        return base64.b64decode(wish["content"], validate=True)
    except binascii.Error as error:
        raise FleetMfaError(f"{wish['path']}: the content is not base64") from error


def _mode(wish: FileWish) -> int:
    try:
        mode = int(wish["mode"], 8)
    except ValueError:
        mode = -1
    if not 0 <= mode <= 0o7777 or mode & stat.S_IWOTH:
        raise FleetMfaError(f"{wish['path']}: mode {wish['mode']!r} is not octal, or lets everybody write")
    return mode


def apply_host_files(changes: list[FileChange]) -> None:
    apply_all(changes)
    for change in changes:
        if change.changed and change.after is None:
            _remove_empty_folders(Path(change.path).parent)


def _remove_empty_folders(folder: Path) -> None:
    """Removes folders that were created for our files, known by their name or mark. Other empty folders stay."""
    with contextlib.suppress(OSError):  # not empty, or already removed
        while folder.name == "fleetmfa" or is_made_by_us(folder):
            folder.rmdir()
            folder = folder.parent


def shown_diff(changes: list[FileChange]) -> list[dict[str, str]]:
    """One line for each file of ours, since its content is the same on every host; files of others in full."""
    ours = [change for change in changes if isinstance(change, HostFileChange)]
    summary = "".join(f"{change.path}: {_was(change)} -> {_becomes(change)}\n" for change in ours)
    told = [{"prepared": summary}] if ours else []
    return [*told, *(change.diff() for change in changes if change not in ours)]


def _was(change: FileChange) -> str:
    return _summary(change.before, change.attributes_before)


def _becomes(change: FileChange) -> str:
    return _summary(change.after, change.attributes_after)


def _summary(content: bytes | None, attributes: Attributes | None) -> str:
    if content is None or attributes is None:
        return "absent"
    access = f"{attributes.mode:04o} {attributes.uid}:{attributes.gid}{' with an ACL' * (ACL in attributes.extended)}"
    return f"{access}, {len(content)} bytes, sha256 {hashlib.sha256(content).hexdigest()[:16]}"
