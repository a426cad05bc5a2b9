# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A security key of software in an ssh-agent of its own: the real ssh logs in with it, with or without user verification.

It does what OpenSSH's own sk-dummy.so does, without its package, and says of itself what it is told to (PROTOCOL.u2f, PROTOCOL.agent).
"""

from __future__ import annotations

import base64
import hashlib
import socketserver
import struct
import tempfile
import threading
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

KIND = b"sk-ssh-ed25519@openssh.com"
_APPLICATION = b"ssh:"
_TOUCHED, _VERIFIED = 0x01, 0x04
_LIST, _LISTED, _SIGN, _SIGNED, _FAILURE = 11, 12, 13, 14, 5


def _string(content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + content


class SoftwareSecurityKey:
    """`socket` is the agent's, for SSH_AUTH_SOCK or IdentityAgent; `line` is the public key."""

    def __init__(self, verifies_user: bool = True, seed: str = ""):
        """The same key for the same seed."""
        self.flags = _TOUCHED | (_VERIFIED if verifies_user else 0)
        secret = hashlib.sha256(seed.encode()).digest()
        self._private = Ed25519PrivateKey.from_private_bytes(secret) if seed else Ed25519PrivateKey.generate()
        public = self._private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.blob = b"".join(map(_string, (KIND, public, _APPLICATION)))
        self.line = f"{KIND.decode()} {base64.b64encode(self.blob).decode()}"
        # The path of a socket has a limit of about 100 bytes.
        self._folder = tempfile.TemporaryDirectory(prefix="sk-", dir="/tmp")
        self.socket = str(Path(self._folder.name) / "agent")
        self._server = socketserver.ThreadingUnixStreamServer(self.socket, self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._folder.cleanup()

    def __enter__(self) -> SoftwareSecurityKey:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def answer(self, request: bytes) -> bytes:
        if request[0] == _LIST:
            return bytes([_LISTED]) + struct.pack(">I", 1) + _string(self.blob) + _string(b"security key")
        if request[0] == _SIGN:
            (length,) = struct.unpack(">I", request[1:5])
            (size,) = struct.unpack(">I", request[5 + length : 9 + length])
            return bytes([_SIGNED]) + _string(self._signature(request[9 + length : 9 + length + size]))
        return bytes([_FAILURE])

    def _signature(self, message: bytes) -> bytes:
        state = struct.pack(">BI", self.flags, 1)
        digests = [hashlib.sha256(text).digest() for text in (_APPLICATION, message)]
        return _string(KIND) + _string(self._private.sign(digests[0] + state + digests[1])) + state

    def _handler(self) -> type[socketserver.BaseRequestHandler]:
        key = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                while True:
                    size = self.rfile.read(4)
                    if len(size) < 4:
                        return
                    self.wfile.write(_string(key.answer(self.rfile.read(*struct.unpack(">I", size)))))

        return Handler
