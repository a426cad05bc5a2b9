# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the fleetmfa.ssh authors
"""A set of files that is put on a host or taken away as a whole. Private to the collection."""

from __future__ import annotations

import base64
import binascii
import os
import stat
from pathlib import Path

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.files import (
    BLOCK_BEGIN,
    BLOCK_END,
    FileChange,
    apply_all,
    read_file,
)

HOST_FILE = {
    "path": {"type": "path", "required": True},
    "content": {"type": "str", "required": True},
    "encoding": {"type": "str", "choices": ["text", "base64"], "default": "text"},
    "mode": {"type": "str", "default": "0644"},
    "block": {"type": "bool", "default": False},
    "only_beside": {"type": "path"},
}

BEGIN = BLOCK_BEGIN + b"\n"
END = BLOCK_END + b"\n"


class HostFileChange(FileChange):
    """A change that also gives the file the owner and the permissions it should have."""

    def __init__(self, path: str, after: bytes | None, mode: int):
        super().__init__(path, after, mode)
        self.had = (self.mode, self.uid, self.gid)
        self.mode, self.uid, self.gid = mode, os.geteuid(), os.getegid()

    @property
    def changed(self) -> bool:
        return super().changed or (self.after is not None and self.had != (self.mode, self.uid, self.gid))

    def apply(self) -> None:
        if self.after is not None:
            Path(self.path).parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        super().apply()


def plan_host_files(files: list[dict], present: bool) -> list[FileChange]:
    """One change a file; nothing is written yet."""
    changes = []
    for wish in files:
        if not os.path.isabs(wish["path"]):
            raise FleetMfaError(f"path: {wish['path']} is not absolute")
        wanted = present and (not wish["only_beside"] or os.path.exists(wish["only_beside"]))
        plan = _plan_block if wish["block"] else _plan_file
        changes.append(plan(wish, wanted))
    return changes


def _plan_file(wish: dict, wanted: bool) -> FileChange:
    return HostFileChange(wish["path"], _content(wish) if wanted else None, _mode(wish))


def _plan_block(wish: dict, wanted: bool) -> FileChange:
    """The block stands at the head, where it needs no line end before it, or wherever it has been put since."""
    before = read_file(wish["path"])
    if before is None:
        return FileChange(wish["path"], None)
    content = _content(wish)
    block = BEGIN + content + (b"" if content.endswith(b"\n") else b"\n") + END
    head, tail = _around_block(before, wish["path"])
    return FileChange(wish["path"], head + (block if wanted else b"") + tail)


def _around_block(text: bytes, path: str) -> tuple[bytes, bytes]:
    if BEGIN not in text:
        return b"", text
    head, _begin, rest = text.partition(BEGIN)
    _block, end, tail = rest.partition(END)
    if not end:
        raise FleetMfaError(f"{path}: the line {BEGIN.decode().strip()!r} has no end; remove the rest of our block")
    return head, tail


def _content(wish: dict) -> bytes:
    if wish["encoding"] == "text":
        return wish["content"].encode("utf-8")
    try:
        return base64.b64decode(wish["content"], validate=True)
    except binascii.Error as error:
        raise FleetMfaError(f"{wish['path']}: the content is not base64") from error


def _mode(wish: dict) -> int:
    try:
        mode = int(wish["mode"], 8)
    except ValueError:
        mode = -1
    if not 0 <= mode <= 0o7777 or mode & stat.S_IWOTH:
        raise FleetMfaError(f"{wish['path']}: mode {wish['mode']!r} is not octal, or lets everybody write")
    return mode


def apply_host_files(changes: list[FileChange]) -> None:
    apply_all(changes)
    for folder in {os.path.dirname(change.path) for change in changes if change.changed and change.after is None}:
        _remove_if_ours_and_empty(folder)


def _remove_if_ours_and_empty(folder: str) -> None:
    """Folders of the distribution stay, also when they happen to be empty."""
    if os.path.basename(folder) == "fleetmfa" and os.path.isdir(folder) and not os.listdir(folder):
        os.rmdir(folder)


def shown_diff(change: FileChange) -> dict[str, str]:
    if any(b"\0" in (content or b"") for content in (change.before, change.after)):
        return {
            "before_header": change.path,
            "after_header": change.path,
            "before": "(a program)\n",
            "after": "(another one)\n",
        }
    return change.diff()
