# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""SSH authentication step by step, in an order that no normal client uses."""

from __future__ import annotations

import contextlib
from typing import Callable, Iterator, Sequence

import paramiko

from lab.logins import Server, transport_to


class Handshake:
    """One connection. Each step returns whether the server has let it in so far; a refused step is no error."""

    def __init__(self, transport: paramiko.Transport, key: str):
        self._transport = transport
        self._key = paramiko.Ed25519Key.from_private_key_file(key)
        self.prompts: list[str] = []

    def publickey(self, user: str) -> bool:
        return self._try(lambda: self._transport.auth_publickey(user, self._key))

    def password(self, user: str, password: str) -> bool:
        return self._try(lambda: self._transport.auth_password(user, password, fallback=False))

    def interactive(self, user: str, answers: Sequence[str], devices: str = "") -> bool:
        """Every prompt gets the next of these answers."""

        def answer(_title, _instructions, fields):
            self.prompts += [prompt for prompt, _echo in fields]
            return list(answers) if fields else []

        return self._try(lambda: self._transport.auth_interactive(user, answer, devices))

    def _try(self, step: Callable) -> bool:
        with contextlib.suppress(paramiko.SSHException, EOFError, OSError):
            step()
        return self._transport.is_authenticated()


@contextlib.contextmanager
def handshake(server: Server) -> Iterator[Handshake]:
    with transport_to(server) as transport:
        yield Handshake(transport, server.key)
