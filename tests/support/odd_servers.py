# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Servers that never let a login begin: a tarpit, one that only says who it is, one that says nothing, and none at all."""

from __future__ import annotations

import contextlib
import socket
import threading


class OddServer:
    """Accepts connections on a port of its own and says `lines` on each; with `again`, the last one for ever."""

    def __init__(self, *lines: bytes, again: bool = False, hangs_up: bool = False):
        self._lines, self._again, self._hangs_up = lines, again, hangs_up
        self._ended = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self):
        self._ended.set()
        self._listener.close()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                client, _address = self._listener.accept()
                threading.Thread(target=self._talk, args=(client,), daemon=True).start()

    def _talk(self, client):
        with client, contextlib.suppress(OSError):
            for line in self._lines:
                client.sendall(line)
            while not self._hangs_up and not self._ended.wait(0.2):
                if self._again:
                    client.sendall(self._lines[-1])


def dead_port() -> int:
    with contextlib.closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
