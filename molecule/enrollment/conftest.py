# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Users at their terminals: a window with an SSH session in it, and the steps of the enrollment dialogue."""

from __future__ import annotations

import os
import re
import time

import pyotp
import pytest

from dev.terminal_window import Window
from lab.logins import client_options

OFFER = r"Enroll now\?.*\[y/N\]"
SHELL = r"[$%>#] ?$"


class Session(Window):
    """An SSH session of one user in a window."""

    def __init__(self, server, user, command=(), columns=80, rows=24, **environment):
        variables = {"PATH": os.environ["PATH"], "TERM": "xterm-256color", "LANG": "C.UTF-8", **environment}
        argv = ["ssh", *client_options(server), "-o", "SendEnv=LANG LC_*", "-tt", f"{user}@{server.address}", *command]
        super().__init__(argv, columns, rows, variables)

    def to_the_qr_code(self):
        """From the offer, or from the command mfa-enroll, to the QR code. Returns the authenticator that has scanned
        it."""
        self.wait_for(f"{OFFER}|Press Enter to begin")
        if "Press Enter" not in self.text:
            self.enter("y")
        self.wait_for("Press Enter to begin")
        self.enter()
        self.wait_for("First token:")
        self.settle()
        return self.authenticator()

    def authenticator(self):
        """An authenticator that scans the window."""
        return pyotp.parse_uri(self.qr_text())

    def two_tokens(self, totp):
        """Type the previous token, then the current one, which needs no waiting. Returns the recovery codes."""
        now = time.time()
        self.wait_for("First token:")
        self.enter(totp.at(now - 30))
        self.wait_for("Second token:")
        self.enter(totp.at(now))
        self.wait_for("when you have saved them")
        self.settle()
        return re.findall(r"\b\d{8}\b", self.text)

    @staticmethod
    def wrong_tokens(totp, count):
        """Tokens of no step that may be accepted now or soon; a fixed one would belong to some step about once in
        25,000 runs."""
        near = {totp.at(time.time() + 30 * step) for step in range(-30, 30)}
        return [token for token in map("{:06d}".format, range(100)) if token not in near][:count]

    def keep(self, codes):
        self.enter()
        self.wait_for(r"Recovery code \(")
        self.enter(codes[0])
        self.wait_for("is validated on")

    def run(self, command):
        """The output of a command in the shell."""
        marker = f"end-{time.monotonic_ns()}"
        self.enter(f"clear; {command}; echo {marker[:4]}''{marker[4:]}")
        return self.wait_for(marker).partition(marker)[0].strip()


@pytest.fixture
def open_session(server):
    """open_session("alice", ["status"], columns=100, LC_ALL="C"); sessions still open at the end are closed."""
    opened = []

    def open_(user, command=(), **options):
        opened.append(Session(server, user, command, **options))
        return opened[-1]

    yield open_
    for session in opened:
        session.close()


@pytest.fixture
def state_of(root):
    """state_of("alice"): which keys of hers the host has."""

    def of(user):
        folders = {"pending": "pending", "keys": "validated"}
        return {state for folder, state in folders.items() if root.file(f"/var/lib/fleetmfa/{folder}/{user}").exists}

    return of
