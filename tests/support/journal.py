# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A journal's socket: what the real logger(1) sends there, field by field, and a socket that nobody reads."""

from __future__ import annotations

import shutil
import socket
import subprocess
from pathlib import Path

# systemd's library knows one path only, so logger gets a /run of its own.
_LOGGER = """exec unshare -m sh -c '
mount -t tmpfs none /run && mkdir -p /run/systemd/journal && mount --bind "$0" /run/systemd/journal && exec {logger} "$@"
' {folder} "$@\""""


class JournalSocket:
    """In `folder`, named as the journal's own."""

    def __init__(self, folder: Path):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(folder / "socket"))
        self._socket.setblocking(False)
        self.logger = _LOGGER.format(logger=shutil.which("logger"), folder=folder)
        self._path = folder / "socket"

    @staticmethod
    def is_possible() -> bool:
        return _succeeds("unshare", "-m", "mount", "-t", "tmpfs", "none", "/run") and "--journald" in _help()

    def datagrams(self) -> list[bytes]:
        """All that have come since the last call."""
        found = []
        while True:
            try:
                found.append(self._socket.recv(1 << 20))
            except BlockingIOError:
                return found

    def entries(self) -> list[dict[str, str]]:
        """Each of them as the journal reads it: NAME=VALUE lines, or NAME, eight bytes of length, and a value of any bytes."""
        return [dict(_fields(datagram)) for datagram in self.datagrams()]

    def fill(self) -> None:
        """Until whoever sends has to wait."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            sender.connect(str(self._path))
            try:
                while True:
                    sender.send(b"MESSAGE=x\n")
            except BlockingIOError:
                pass

    def close(self) -> None:
        self._socket.close()


def _fields(datagram: bytes):
    while datagram:
        line, _end, rest = datagram.partition(b"\n")
        name, equals, value = line.partition(b"=")
        if not equals:
            size = int.from_bytes(rest[:8], "little")
            value, rest = rest[8 : 8 + size], rest[8 + size + 1 :]
        yield name.decode(), value.decode("utf-8", "surrogateescape")
        datagram = rest


def _succeeds(*command: str) -> bool:
    return bool(shutil.which(command[0])) and subprocess.run(command, check=False, capture_output=True).returncode == 0


def _help() -> str:
    return subprocess.run(["logger", "--help"], check=False, capture_output=True, text=True).stdout
