# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A real sshd with the role's token lines and guard, whose keys are those of a test's host, and the real ssh client."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from pathlib import Path

from ansible_collections.fleetmfa.ssh.tests.support.guarded_host import installed_program
from ansible_collections.fleetmfa.ssh.tests.support.token_host import TokenHost
from ansible_collections.fleetmfa.ssh.tests.support.token_lines import auth_lines, token_lines

_WITHIN = 300


class GuardedSshd(TokenHost):
    def __init__(self, folder: Path, state_dir: Path, **settings):
        super().__init__(folder)
        self.guard = self._install("totp-guard", state_dir)
        self._install("log-decision", state_dir)
        self._write_logger()
        self.token_lines = auth_lines(token_lines(str(folder), str(state_dir), own_service=False, **settings))
        self.write_service(*self.token_lines)
        self._records = state_dir / "guard"
        self.write_key(user="bob")

    def _install(self, name: str, state_dir: Path) -> Path:
        program = self.folder / name
        text = installed_program(name).replace("/var/lib/fleetmfa", str(state_dir))
        text = text.replace("=/usr/local/libexec/fleetmfa/", f"={self.folder}/").replace(
            "=/run/systemd/", f"={self.folder}/"
        )
        program.write_text(
            text.replace("PATH=/", f"PATH={self.folder}/logger:/", 1) if name == "log-decision" else text
        )
        program.chmod(0o755)
        return program

    def _write_logger(self) -> None:
        program = self.folder / "logger" / "logger"
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$6" >>{self.folder}/log\n')
        program.chmod(0o755)

    def wait_until_logged(self, line: str) -> None:
        """As text, which the guard writes after it has decided."""
        log = self.folder / "log"
        _wait_for(lambda: log.exists() and line in log.read_text().splitlines())

    def log_in(self, answer: str, user: str = "alice", *options: str) -> tuple[bool, str]:
        """Whether one answer lets the user in, and the prompt that was answered; `options` of ssh come before ours, and win."""
        done = self._ssh(f"echo {answer}", user, *options)
        output = done.communicate()[0]
        return output == f"{user}\n", self._prompts.read_text().replace(f"({user}@127.0.0.1) ", "")

    def open_and_abandon(self) -> None:
        """The client is killed while it waits for an answer, and sshd has noticed."""
        self._kill(self._open())
        self.wait_until_nobody_is_asked()

    def open_until_sshd_gives_up(self) -> None:
        """As at the end of LoginGraceTime: the alarm of the process that waits for a login."""
        client = self._open()
        (pid,) = self._asking()
        waiting = Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()[1]
        os.kill(int(waiting), signal.SIGALRM)
        _wait_for(lambda: not Path("/proc", waiting).exists())
        self.wait_until_nobody_is_asked()
        self._kill(client)

    def wait_until_nobody_is_asked(self) -> None:
        _wait_for(lambda: not self._asking())

    def _asking(self) -> list[str]:
        """The processes that wait for an answer of alice."""
        found = re.findall(r"^open (\d+) ", (self._records / self.user).read_text(), re.MULTILINE)
        return [pid for pid in found if Path("/proc", pid).exists()]

    def _open(self) -> subprocess.Popen:
        """A client of alice that has been asked."""
        client = self._ssh("sleep 600", self.user)
        _wait_for(lambda: self._prompts.read_text())
        return client

    @staticmethod
    def _kill(client: subprocess.Popen) -> None:
        os.killpg(client.pid, signal.SIGKILL)
        client.communicate()

    @property
    def config(self) -> str:
        return self._sshd.host.config.read_text()

    @property
    def _prompts(self) -> Path:
        return self.folder / "prompts"

    def _ssh(self, answer: str, user: str, *options: str) -> subprocess.Popen:
        ask = self.folder / "askpass"
        ask.write_text(f'#!/bin/sh\nprintf %s "$1" >>{self._prompts}\n{answer}\n')
        ask.chmod(0o700)
        self._prompts.write_text("")
        identity = () if "-i" in options else ("-i", str(self.key))
        command = ["ssh", "-F", "none", *options, "-p", str(self.port), *identity, "-o", "IdentitiesOnly=yes"]
        command += ["-o", f"UserKnownHostsFile={self.known_hosts}", "-o", "NumberOfPasswordPrompts=1"]
        environment = {**os.environ, "SSH_ASKPASS": str(ask), "SSH_ASKPASS_REQUIRE": "force", "DISPLAY": ":0"}
        return subprocess.Popen(
            [*command, f"{user}@127.0.0.1", "id -un"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            start_new_session=True,
        )


def _wait_for(happened) -> None:
    deadline = time.monotonic() + _WITHIN
    while not happened():
        if time.monotonic() > deadline:
            raise TimeoutError("it does not happen")
        time.sleep(0.05)
