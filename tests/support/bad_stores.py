# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Endpoints of a claim store that do not do what they should; each is a context manager and has `endpoint`."""

from __future__ import annotations

import socket
import ssl
import threading
from typing import Callable


class Endpoint:
    """Listens on loopback and treats each connection in a thread of its own."""

    def __init__(self, treat: Callable[[socket.socket], None]):
        self._treat, self._open = treat, []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"https://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Endpoint:
        return self

    def __exit__(self, *_exception) -> None:
        for one in (self._listener, *self._open):
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                connection = self._listener.accept()[0]
            except OSError:  # closed
                return
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            self._treat(connection)
        except OSError:
            connection.close()


def hanging() -> Endpoint:
    """Accepts connections and never says anything."""
    return Endpoint(lambda _connection: None)


def answering(cluster, answer: bytes) -> Endpoint:
    """Has the right certificate, and gives the same answer to everything."""

    def treat(connection: socket.socket) -> None:
        with _tls(cluster, connection) as server:
            while _request(server):
                server.sendall(answer)

    return Endpoint(treat)


def losing_answers(cluster) -> Endpoint:
    """Passes every request on to the cluster, and of its answers only those about leases back: a claim is made, and nobody
    is told."""

    def treat(connection: socket.socket) -> None:
        member = cluster.members[0]
        with socket.create_connection(("127.0.0.1", member.port)) as plain, cluster.context.wrap_socket(
            plain, server_hostname="127.0.0.1"
        ) as etcd, _tls(cluster, connection) as server:
            while True:
                request = _request(server)
                etcd.sendall(request)
                answer = _request(etcd)
                if b"/v3/lease/grant" in request:
                    server.sendall(answer)

    return Endpoint(treat)


def _tls(cluster, connection: socket.socket) -> ssl.SSLSocket:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cluster.server.cert, cluster.server.key)
    return context.wrap_socket(connection, server_side=True)


def _request(connection: ssl.SSLSocket) -> bytes:
    """A request or an answer, with a Content-Length."""
    text = b""
    while b"\r\n\r\n" not in text:
        text += _some(connection)
    head = text.partition(b"\r\n\r\n")[0]
    length = next(
        int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
    )
    while len(text) < len(head) + 4 + length:
        text += _some(connection)
    return text


def _some(connection: ssl.SSLSocket) -> bytes:
    received = connection.recv(65536)
    if not received:
        raise ConnectionError
    return received
