# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Shows something secret to the person who started Ansible, and to nobody else. Private to the collection.

What Ansible prints goes into its log file, too, and its workers have no terminal. So this writes to the terminal of the
process that started them, on the alternate screen: nothing stays in the window, in its scrollback, or in a log.
"""

from __future__ import annotations

import os
import select
import stat
from pathlib import Path
from typing import Iterable

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError

SHOWN_SECONDS = 600
_ENTER_SCREEN, _LEAVE_SCREEN = "\x1b[?1049h\x1b[2J\x1b[H", "\x1b[2J\x1b[?1049l"
# Device numbers of Linux: proc(5), Documentation/admin-guide/devices.txt.
_PSEUDO_TERMINALS, _CONSOLES = range(136, 144), 4


def operator_terminal() -> str | None:
    """That of this process, or of the one that started it. Not of any further up: a run that was detached from its
    terminal has none, and somebody else may sit there now."""
    parent, own = _parent_and_terminal(os.getpid())
    _grandparent, of_parent = _parent_and_terminal(parent)
    return _path_of(own) or _path_of(of_parent)


def _parent_and_terminal(process: int) -> tuple[int, int]:
    try:
        fields = Path(f"/proc/{process}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:  # not Linux, or /proc is hidden
        return 0, 0
    return int(fields[1]), int(fields[4])


def _path_of(device: int) -> str | None:
    major, minor = os.major(device), os.minor(device)
    if major in _PSEUDO_TERMINALS:
        path = f"/dev/pts/{(major - _PSEUDO_TERMINALS.start) * 256 + minor}"
    elif major == _CONSOLES:
        path = f"/dev/tty{minor}"
    else:
        return None
    try:
        status = os.stat(path)
    except OSError:
        return None
    return path if stat.S_ISCHR(status.st_mode) and status.st_rdev == device else None


def show_on(terminal: str, lines: Iterable[str], seconds: float = SHOWN_SECONDS) -> None:
    """Until Enter is pressed, or for so long."""
    try:
        descriptor = os.open(terminal, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError as error:
        raise FleetMfaError(f"{terminal} cannot be written to: {error.strerror}; give a file instead") from error
    try:
        _write(descriptor, _ENTER_SCREEN + "".join(f"{line}\r\n" for line in [*lines, ""]) + "Press Enter to go on: ")
        select.select([descriptor], [], [], seconds)
    finally:
        _write(descriptor, _LEAVE_SCREEN)
        _drop_line(descriptor)
        os.close(descriptor)


def _write(descriptor: int, text: str) -> None:
    content = text.encode()
    while content:
        content = content[os.write(descriptor, content) :]


def _drop_line(descriptor: int) -> None:
    """What was typed is not for the shell that runs next."""
    if select.select([descriptor], [], [], 0)[0]:
        os.read(descriptor, 4096)
