# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Whether root may run the program that tells users: nobody but root can change it, or what leads to it. Private."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Iterator, Sequence

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError

_MOST_PATHS = 1000  # links may lead in circles, which stat(2) then says


def check_command(command: Sequence[str]) -> None:
    """A FleetMfaError names the path and what is wrong with it."""
    program = command[0]
    if not os.path.isabs(program):
        raise FleetMfaError(f"{program} is not an absolute path")
    try:
        status = os.stat(program)
        for path in _on_the_way(program):
            _refuse_writable(path)
    except OSError as error:
        raise FleetMfaError(f"{error.filename}: {error.strerror}; put the program there") from None
    if not stat.S_ISREG(status.st_mode) or not status.st_mode & stat.S_IXUSR:
        raise FleetMfaError(f"{program} is not a program: a file that root may execute")


def _on_the_way(program: str) -> Iterator[Path]:
    """Every file and folder that decides what the path means, symbolic links and what they lead to included."""
    seen: set[Path] = set()
    waiting = [Path(program), Path(os.path.realpath(program))]
    while waiting and len(seen) < _MOST_PATHS:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        yield path
        waiting.append(path.parent)
        if path.is_symlink():
            waiting.append(Path(os.path.realpath(path.parent)) / os.readlink(path))


def _refuse_writable(path: Path) -> None:
    status = os.lstat(path)
    if status.st_uid != 0:
        raise FleetMfaError(
            f"{path} does not belong to root, so its owner could have root run anything; chown root {path}"
        )
    if status.st_mode & 0o022 and not stat.S_ISLNK(status.st_mode):
        raise FleetMfaError(f"others than root can write to {path}, and so have root run anything; chmod go-w {path}")
