# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The sshd processes and units of a host: which configuration each serves. Best effort, reads only. Private.

Seen: every listening sshd of this host's process namespace, and socket-activated units that name sshd. Not seen: an sshd in
a container, and other SSH servers (dropbear), which know nothing of the group either.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Iterator, NamedTuple

from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.reload import listening_commands

_UNIT_FOLDERS = ("/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system")
_VALUED = set("bCcEfghkoPp")


class Daemon(NamedTuple):
    """An sshd that serves: what shows it, its configuration, and the options that change what that says."""

    shown_by: str
    config: str
    options: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.shown_by}: sshd -f {self.config} {' '.join(self.options)}".rstrip()


def daemons(default_config: str, proc: str = "/proc", unit_folders: tuple[str, ...] = _UNIT_FOLDERS) -> list[Daemon]:
    found: dict[tuple[str, tuple[str, ...]], Daemon] = {}
    running = [(f"process {number}", command[1:]) for number, command in listening_commands(proc).items()]
    for shown_by, arguments in [*running, *_socket_units(unit_folders)]:
        daemon = _daemon(shown_by, arguments, default_config)
        found.setdefault((daemon.config, daemon.options), daemon)
    return list(found.values())


def _socket_units(folders: tuple[str, ...]) -> Iterator[tuple[str, list[str]]]:
    """Services that a socket which is switched on would start; what runs already is among the processes."""
    for folder in folders:
        for socket in Path(folder).glob("sockets.target.wants/*.socket"):
            for name in (f"{socket.stem}.service", f"{socket.stem}@.service"):
                text = _first_text(Path(one) / name for one in folders)
                found = re.search(r"^ExecStart=[-@:+!]*(\S*/sshd)\s*(.*)$", text, re.MULTILINE)
                if found:
                    yield (
                        f"unit {socket.name}",
                        [word for word in shlex.split(found.group(2)) if not word.startswith("$")],
                    )


def _first_text(paths: Iterator[Path]) -> str:
    for path in paths:
        try:
            return path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
    return ""


def _daemon(shown_by: str, arguments: list[str], default_config: str) -> Daemon:
    config, options = default_config, []
    words = iter(arguments)
    for word in words:
        letter = word[1:2]
        if not word.startswith("-") or letter not in _VALUED:
            continue
        value = word[2:] or next(words, "")
        if letter == "f":
            config = value
        elif letter in "op":
            options += [f"-{letter}", value]
    return Daemon(shown_by, config, tuple(options))
