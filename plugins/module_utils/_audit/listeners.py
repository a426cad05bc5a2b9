# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The TCP sockets on which programs of this host listen, and the socket units of systemd. Reads /proc only. Private.

Sockets of containers with a network of their own are not in this host's tables, and so are not found.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import re
import sys
from collections import defaultdict
from pathlib import Path
from typing import Iterator, NamedTuple

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.commands import run
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.systemd import is_running
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.unit_files import UNIT_FOLDERS, socket_commands

_LISTENING = "0A"
_DELETED = " (deleted)"


class Listener(NamedTuple):
    """A program and where it listens: addresses such as 0.0.0.0:22 or [::]:22, and units that listen for it.

    `process` is its id; None if systemd starts it at a connection.
    """

    program: str
    command: tuple[str, ...]
    process: int | None
    sockets: tuple[str, ...]
    unit: str = ""

    @property
    def name(self) -> str:
        return os.path.basename(self.program)

    @property
    def where(self) -> list[str]:
        return [*([self.unit] if self.unit else []), *self.sockets]

    @property
    def is_local(self) -> bool:
        """Whether only programs on this host can reach it."""
        return bool(self.sockets) and all(map(is_loopback, self.sockets))


def is_loopback(socket: str) -> bool:
    address = socket.rpartition(":")[0].strip("[]").partition("%")[0]
    with contextlib.suppress(ValueError):
        parsed = ipaddress.ip_address(address)
        return (getattr(parsed, "ipv4_mapped", None) or parsed).is_loopback
    return False


def listeners(proc: str = "/proc") -> list[Listener]:
    """One entry for each process that listens."""
    sockets = _listening_sockets(proc)
    found: dict[int, list[str]] = defaultdict(list)
    for process, inode in _sockets_of_processes(proc):
        if inode in sockets:
            found[process].append(sockets[inode])
    told = (_listener(proc, process, addresses) for process, addresses in sorted(found.items()))
    return [one for one in told if one]


def _listening_sockets(proc: str) -> dict[str, str]:
    """Address by inode, of proc_pid_net(5)."""
    found = {}
    for name in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(proc, "net", name).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTENING:
                    found[fields[9]] = _address(fields[1])
    return found


def _address(text: str) -> str:
    """Words of four bytes, each in the byte order of the machine."""
    number, port = text.split(":")
    words = [int(number[start : start + 8], 16).to_bytes(4, sys.byteorder) for start in range(0, len(number), 8)]
    address = ipaddress.ip_address(b"".join(words))
    return f"{address if address.version == 4 else f'[{address}]'}:{int(port, 16)}"


def _sockets_of_processes(proc: str) -> Iterator[tuple[int, str]]:
    for process in Path(proc).glob("[0-9]*"):
        try:
            names = os.listdir(process / "fd")
        except OSError:
            continue
        inodes = set()
        for name in names:
            with contextlib.suppress(OSError):
                found = re.fullmatch(r"socket:\[(\d+)\]", os.readlink(process / "fd" / name))
                inodes.add(found[1] if found else "")
        yield from ((int(process.name), inode) for inode in inodes if inode)


def _listener(proc: str, process: int, addresses: list[str]) -> Listener | None:
    """None for a process that has ended."""
    folder = Path(proc, str(process))
    try:
        words = (folder / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
        program = os.readlink(folder / "exe")
    except OSError:
        return None
    plain = program[: -len(_DELETED)] if program.endswith(_DELETED) else program
    return Listener(plain, tuple(filter(None, words)), process, tuple(sorted(set(addresses))))


class SocketUnits:
    """What systemd listens for; `problem` says why it cannot be asked."""

    def __init__(self, folders: tuple[str, ...] = UNIT_FOLDERS):
        self._folders = folders
        self.problem = ""

    def listeners(self) -> list[Listener]:
        """The programs that an active socket unit starts."""
        if not is_running():
            return []
        try:
            told = run("systemctl", "show", "--property=Id,ActiveState,Listen,Triggers", "*.socket").output
        except FleetMfaError as error:
            self.problem = str(error)
            return []
        return [one for block in told.split("\n\n") for one in self.of_block(block)]

    def of_block(self, text: str) -> Iterator[Listener]:
        """Of what systemctl prints about one unit."""
        pairs = [line.partition("=") for line in text.splitlines()]
        properties = {name: value for name, _equals, value in pairs}
        found = [value for name, _equals, value in pairs if name == "Listen" and "(Stream)" in value]
        sockets = tuple(map(_socket_of, filter(_is_network, found)))
        unit = properties.get("Id", "")
        if properties.get("ActiveState") == "active" and sockets:
            command = next(socket_commands(unit.rpartition(".")[0], self._folders), [])
            if command:
                yield Listener(command[0], tuple(command), None, sockets, unit)


def _is_network(text: str) -> bool:
    return not text.startswith(("/", "@"))


def _socket_of(text: str) -> str:
    """`[::]:22 (Stream)`."""
    return text.partition(" ")[0]
