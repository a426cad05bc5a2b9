# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""SSH logins of one user that all wait at their prompts and are answered at the same moment."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import paramiko

from lab.logins import TIMEOUT, Server, transport_to


class HeldLogin(threading.Thread):
    """A login with the key first; `asked` says whether it got a prompt, `allowed` whether it got in."""

    def __init__(self, server: Server, user: str, start: threading.Event):
        super().__init__(daemon=True)
        self.server, self.user, self.start_answering = server, user, start
        self.asked = self.allowed = False
        self.answer = ""
        self.settled = threading.Event()

    def run(self) -> None:
        try:
            with transport_to(self.server) as transport:
                transport.auth_timeout = 4 * TIMEOUT
                transport.auth_publickey(self.user, paramiko.Ed25519Key.from_private_key_file(self.server.key))
                transport.auth_interactive(self.user, self._hold)
                self.allowed = self._can_work(transport)
        except (paramiko.SSHException, EOFError, OSError):
            pass
        finally:
            self.settled.set()

    @staticmethod
    def _can_work(transport: paramiko.Transport) -> bool:
        """A login counts if it can run a command: sshd may still end a login that it has accepted."""
        channel = transport.open_session(timeout=TIMEOUT)
        channel.exec_command("true")
        return channel.recv_exit_status() == 0

    def _hold(self, _title, _instructions, fields):
        if not fields:
            return []
        self.asked = True
        self.settled.set()
        self.start_answering.wait(4 * TIMEOUT)
        return [self.answer for _round in fields]


class Race:
    """`connections` logins of one user at once. Nobody answers before all have a prompt or were refused."""

    def __init__(self, server: Server, user: str, connections: int):
        self._start = threading.Event()
        self.logins = [HeldLogin(server, user, self._start) for _round in range(connections)]
        for login in self.logins:
            login.start()
        for login in self.logins:
            login.settled.wait(4 * TIMEOUT)

    @property
    def asked(self) -> int:
        return sum(login.asked for login in self.logins)

    def answer(self, answers: Sequence[str]) -> int:
        """Answer each prompt with the answer at its position (the last one for the rest). Returns how many logins got
        in."""
        for place, login in enumerate(login for login in self.logins if login.asked):
            login.answer = answers[min(place, len(answers) - 1)]
        self._start.set()
        for login in self.logins:
            login.join(4 * TIMEOUT)
        return sum(login.allowed for login in self.logins)
