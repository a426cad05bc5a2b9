# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The sshd processes and units of a host, and the configuration that each of them uses. Best effort, reads only.
Private.

Found are every listening sshd in this host's process namespace, and socket-activated units that run sshd. Not found are
an sshd in a container, and other SSH servers (dropbear), which do not know about the group anyway.
"""

from __future__ import annotations

from pathlib import Path
from typing import Iterator, NamedTuple

from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.reload import listening_commands
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.unit_files import UNIT_FOLDERS, socket_commands

_VALUED = set("bCcEfghkoPp")


class Daemon(NamedTuple):
    """A running sshd: how it was found, its configuration, and the options that override it."""

    shown_by: str
    config: str
    options: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.shown_by}: sshd -f {self.config} {' '.join(self.options)}".rstrip()


def daemons(default_config: str, proc: str = "/proc", unit_folders: tuple[str, ...] = UNIT_FOLDERS) -> list[Daemon]:
    found: dict[tuple[str, tuple[str, ...]], Daemon] = {}
    running = [(f"process {number}", command[1:]) for number, command in listening_commands(proc).items()]
    for shown_by, arguments in [*running, *_socket_units(unit_folders)]:
        daemon = _daemon(shown_by, arguments, default_config)
        found.setdefault((daemon.config, daemon.options), daemon)
    return list(found.values())


def _socket_units(folders: tuple[str, ...]) -> Iterator[tuple[str, list[str]]]:
    """Services that an active socket would start. Running ones are found as processes."""
    for folder in folders:
        for socket in Path(folder).glob("sockets.target.wants/*.socket"):
            for command in socket_commands(socket.stem, folders):
                if command[0].endswith("/sshd"):
                    yield f"unit {socket.name}", [word for word in command[1:] if not word.startswith("$")]


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
