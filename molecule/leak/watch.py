# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Run by an unprivileged account: prints what it could see of processes and of the given folders, until stdin is
closed."""

from __future__ import annotations

import contextlib
import os
import select
import sys
from typing import Iterator

_PAUSE = 0.3
_MOST = 1 << 20
# A process begins as what it was forked from, and becomes what it is soon after.
_LOOKS = 3


def command_lines(looks: dict[str, int]) -> Iterator[bytes]:
    for process in filter(str.isdigit, os.listdir("/proc")):
        looks[process] = looks.get(process, 0) + 1
        if looks[process] <= _LOOKS:
            yield content(f"/proc/{process}/cmdline")


def new_files(folders: list[str], known: set[tuple]) -> Iterator[bytes]:
    for top in folders:
        for folder, _subfolders, names in os.walk(top):
            for path in (f"{folder}/{name}" for name in names):
                version = (path, os.lstat(path).st_mtime_ns) if os.path.lexists(path) else (path,)
                if version not in known:
                    known.add(version)
                    yield content(path)


def content(path: str) -> bytes:
    with contextlib.suppress(OSError), open(path, "rb", opener=_not_waiting) as handle:  # noqa: PTH123
        return handle.read(_MOST) or b""
    return b""


def _not_waiting(path: str, flags: int) -> int:
    """A pipe among the files must not block the watch."""
    return os.open(path, flags | os.O_NONBLOCK)


seen: set[bytes] = set()
looks: dict[str, int] = {}
known: set[tuple] = set()
while not select.select([sys.stdin], [], [], _PAUSE)[0]:
    seen.update(command_lines(looks), new_files(sys.argv[1:], known))
for one in sorted(seen):
    sys.stdout.buffer.write(one.replace(b"\0", b" ") + b"\n")
