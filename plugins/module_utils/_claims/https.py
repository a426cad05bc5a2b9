# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""POST requests with JSON over one TLS connection, with client certificate and deadline. Private.

Not http.client: importing it takes 10 ms, a third of a whole claim, and a user waits for it at each login. etcd answers
with a Content-Length; any other answer counts as none.
"""

from __future__ import annotations

import json
import socket
import ssl
import time

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError

TYPE_CHECKING = False  # not that of typing, which takes milliseconds to import; type checkers know the name
if TYPE_CHECKING:
    from typing import Any

_LARGEST = 65536  # bytes of an answer; etcd's have a few hundred
_PORT = 443


class NoAnswerError(FleetMfaError):
    """This endpoint gave no usable answer: whether it has done what it was asked for is not known."""


def tls_context(ca: str, cert: str, key: str) -> ssl.SSLContext:
    """Accepts only servers whose certificate is signed by `ca` and has the name or address that they are called by."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_verify_locations(ca)
    except OSError as error:
        raise FleetMfaError(f"the CA {ca} cannot be used ({_why(error)})") from None
    try:
        context.load_cert_chain(cert, key, password=lambda: "")  # else OpenSSL would ask a terminal
    except OSError as error:
        raise FleetMfaError(f"the certificate {cert} with the key {key} cannot be used ({_why(error)})") from None
    return context


class HttpsConnection:
    """A connection to https://HOST[:PORT]; a context manager. All that it does ends at the deadline (time.monotonic)."""

    def __init__(self, endpoint: str, context: ssl.SSLContext, deadline: float):
        self._endpoint, self._deadline = endpoint, deadline
        self._authority = endpoint[len("https://") :].rstrip("/")
        host, port = _split(self._authority)
        self._received = b""
        try:
            plain = socket.create_connection((host, port), self._left())
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket = context.wrap_socket(plain, server_hostname=host)
        except (OSError, ValueError) as error:
            raise self._no_answer(error) from None

    def __enter__(self) -> HttpsConnection:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._socket.close()

    def post(self, path: str, document: dict[str, Any]) -> dict[str, Any]:
        """The answer's document; a NoAnswerError if there is none, or it is not 200 OK."""
        body = json.dumps(document).encode("ascii")
        head = f"POST {path} HTTP/1.1\r\nHost: {self._authority}\r\nContent-Type: application/json\r\n"
        try:
            self._socket.settimeout(self._left())
            self._socket.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode("ascii") + body)
            status, answer = self._read_answer()
            found = json.loads(answer)
        except (OSError, ValueError) as error:
            raise self._no_answer(error) from None
        if status != "200" or not isinstance(found, dict):
            raise NoAnswerError(f"{self._endpoint}: HTTP status {printable(status)}")
        return found

    def _read_answer(self) -> tuple[str, bytes]:
        while b"\r\n\r\n" not in self._received:
            self._receive()
        head, _blank, self._received = self._received.partition(b"\r\n\r\n")
        first, *headers = head.decode("latin-1").split("\r\n")
        fields = {
            name.strip().lower(): value.strip() for name, _colon, value in (line.partition(":") for line in headers)
        }
        length = int(fields.get("content-length", "-1"))
        if not 0 <= length <= _LARGEST:
            raise ValueError
        while len(self._received) < length:
            self._receive()
        body, self._received = self._received[:length], self._received[length:]
        return first.split(" ")[1] if " " in first else "", body

    def _receive(self) -> None:
        self._socket.settimeout(self._left())
        received = self._socket.recv(16384)
        if not received or len(self._received) > _LARGEST:
            raise ValueError
        self._received += received

    def _left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise socket.timeout
        return left

    def _no_answer(self, error: Exception) -> NoAnswerError:
        return NoAnswerError(f"{self._endpoint}: {_why(error)}")


def printable(text: object) -> str:
    """What another machine said, fit for a line of a log."""
    return "".join(letter if letter.isprintable() else "?" for letter in str(text)[:100])


def _split(authority: str) -> tuple[str, int]:
    """Host and port of HOST, HOST:PORT or [ADDRESS]:PORT."""
    host, colon, port = authority.rpartition(":")
    if not colon or port.endswith("]"):
        host, port = authority, str(_PORT)
    return host.strip("[]"), int(port)


def _why(error: Exception) -> str:
    if isinstance(error, socket.timeout):
        return "no answer in time"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted: {printable(error.verify_message)}"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {printable(error.reason or error.strerror)}"
    if isinstance(error, OSError):
        return printable(error.strerror or type(error).__name__)
    return "an answer that is not etcd's"
