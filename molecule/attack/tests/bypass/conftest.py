# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The target: an enforced user whose key, password and home the attacker has, but not the phone."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from itertools import cycle
from shlex import quote

import pytest
import testinfra.host

from lab.logins import LoginResult, Server, client_options, login, run_client

PASSWORD = "correct horse"
NAMES = cycle(f"mark{number}" for number in range(1, 25))


@dataclass
class Mark:
    name: str
    server: Server
    root: testinfra.host.Host
    key: object
    password: str = PASSWORD

    @property
    def home(self) -> str:
        return f"/home/{self.name}"

    def run(self, script: str) -> str:
        """As the user, without a login: what the attacker could do in a session stolen earlier."""
        return self.root.check_output(f"runuser -u {self.name} -- sh -ec {quote(script)}")

    def write(self, path: str, content: str, mode: str = "600") -> None:
        encoded = base64.b64encode(content.encode()).decode()
        self.run(f"cd; mkdir -p $(dirname {path}); echo {encoded} | base64 -d > {path}; chmod {mode} {path}")

    def key_alone(self, *options: str) -> LoginResult:
        """The key is accepted, and sshd says what is still required: anything else is not a refusal but a broken
        attempt."""
        batch = ["ssh", *client_options(self.server), "-o", "BatchMode=yes", *options]
        attempt = run_client([*batch, f"{self.name}@{self.server.address}", "id -un"])
        assert attempt.allowed or "Permission denied (keyboard-interactive)" in attempt.output, attempt.output
        return attempt

    def gets_in_with_a_token(self) -> bool:
        attempt = login(self.server, self.name, [self.key.token()])
        return attempt.allowed and attempt.prompts == ["Verification code: "]


@pytest.fixture
def mark(server, root, keys):
    """After each attempt the real user logs in, so that a refusal is not just a broken login."""
    name = next(NAMES)
    mark = Mark(name, server, root, keys[name])
    root.run_expect([0], f"rm -rf /root/home && cp -a {mark.home} /root/home")
    try:
        yield mark
        assert mark.gets_in_with_a_token()
    finally:
        root.run_expect([0], f"rm -rf {mark.home} && mv /root/home {mark.home}")


@pytest.fixture
def another(server, root, keys, mark):
    """A second enforced user, whose phone belongs to the attacker."""
    name = next(NAMES)
    return Mark(name, server, root, keys[name])
