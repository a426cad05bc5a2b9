# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The connection plugin's end of the askpass helper: a socket in a private folder, served by a thread. Private."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import socket
import struct
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any, Callable, Protocol

from ansible import constants

from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._ssh_totp import askpass

_READ_SECONDS = 10
_MAXIMUM_QUESTION = 65536


class PromptAnswer(Protocol):
    def __call__(self, prompt: str, asker: list[str], stopped: threading.Event) -> str | None:
        """None refuses. `stopped` is set when nobody waits for the answer any more."""


class AskpassHelper:
    """While this context is open, `environment` makes ssh ask `answer`."""

    def __init__(self, answer: PromptAnswer):
        self._answer = answer
        self._stopped = threading.Event()
        self._cleanup = contextlib.ExitStack()

    def __enter__(self) -> AskpassHelper:
        with contextlib.ExitStack() as cleanup:
            # The program is in Ansible's own folder, since /tmp may be mounted noexec; the socket is not, since the
            # path of a socket may have about 100 bytes only.
            folder = _private_folder(cleanup, constants.DEFAULT_LOCAL_TMP)
            self._path = _private_folder(cleanup, None) / "ask"
            self._program = folder / "askpass"
            words = map(shlex.quote, [sys.executable, "-I", "-S", askpass.__file__, str(self._path)])
            self._program.write_text(f'#!/bin/sh\nexec {" ".join(words)} "$@"\n')
            self._program.chmod(0o700)
            self._listener = cleanup.enter_context(socket.socket(socket.AF_UNIX))
            self._listener.bind(str(self._path))
            self._listener.listen()
            thread = threading.Thread(target=self._serve, daemon=True)
            thread.start()
            cleanup.callback(thread.join)
            cleanup.callback(self._stop)
            self._cleanup = cleanup.pop_all()
        return self

    def __exit__(self, *_error: Any) -> None:
        self._cleanup.close()

    @property
    def environment(self) -> dict[str, str]:
        # Clients before OpenSSH 8.4 need DISPLAY, and no terminal; newer ones SSH_ASKPASS_REQUIRE.
        added = {"SSH_ASKPASS": str(self._program), "SSH_ASKPASS_REQUIRE": "force"}
        return {"DISPLAY": "-", **os.environ, **added}

    def _stop(self) -> None:
        self._stopped.set()
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as waker:
            waker.connect(str(self._path))

    def _serve(self) -> None:
        while True:
            client, _address = self._listener.accept()
            with client:
                if self._stopped.is_set():
                    return
                # A helper that was killed is no reason to answer the next one differently.
                with contextlib.suppress(OSError, ValueError):
                    self._reply(client)

    def _reply(self, client: socket.socket) -> None:
        if not _is_own(client):
            return
        client.settimeout(_READ_SECONDS)
        with client.makefile("rb") as stream:
            question = json.loads(stream.read(_MAXIMUM_QUESTION))
        answer = self._answer(question["prompt"], question["asker"], self._stopped)
        client.sendall(json.dumps({} if answer is None else {"answer": answer}).encode())


def _private_folder(cleanup: contextlib.ExitStack, above: str | None) -> Path:
    path = tempfile.mkdtemp(prefix="fleetmfa-", dir=above)
    remove: Callable[..., None] = shutil.rmtree
    cleanup.callback(remove, path, ignore_errors=True)
    return Path(path)


def _is_own(client: socket.socket) -> bool:
    """The folder lets nobody else in; root could still be asked to."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True
    _pid, uid, _gid = struct.unpack("3i", client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return bool(uid == os.getuid())
