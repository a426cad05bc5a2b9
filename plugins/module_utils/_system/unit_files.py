# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What the services of socket units run, read from the files of systemd. Private to the collection."""

from __future__ import annotations

import contextlib
import re
import shlex
from pathlib import Path
from typing import Iterable, Iterator

# The first folder with a file of the name counts, as in systemd.unit(5).
UNIT_FOLDERS = ("/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system")
_CONTINUED = re.compile(r"\\\n\s*")
_EXEC_START = re.compile(r"^ExecStart=[-@:+!|]*(\S.*)$", re.MULTILINE)


def socket_commands(stem: str, folders: Iterable[str] = UNIT_FOLDERS) -> Iterator[list[str]]:
    """The commands of STEM.service, one daemon for all connections, and of STEM@.service, one for each."""
    for name in (f"{stem}.service", f"{stem}@.service"):
        text = _first_text(Path(folder, name) for folder in folders)
        for found in _EXEC_START.findall(_CONTINUED.sub(" ", text)):
            yield _words(found)


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:  # quotes that do not match; the program is known all the same
        return command.split()


def _first_text(paths: Iterable[Path]) -> str:
    for path in paths:
        with contextlib.suppress(OSError):
            return path.read_text(encoding="utf-8", errors="replace")
    return ""
