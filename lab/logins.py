# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Real SSH logins, with paramiko and with the OpenSSH client, that report which prompts were shown and who got in.

For the demonstration and the tests. Nothing here depends on the server's configuration: only the login counts.
"""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Iterator, Sequence

import paramiko
import yaml

# Generous, since a busy machine is slow; a login that hangs is still noticed.
TIMEOUT = 120
# Used by ssh as SSH_ASKPASS: records each prompt and answers it with the next line of the answers, if there is one.
_ASKPASS = """#!/bin/sh
printf '%s\\n' "$1" >> "$LOGIN_FOLDER/prompts"
number=$(wc -l < "$LOGIN_FOLDER/prompts")
answer=$(sed -n "${number}p" "$LOGIN_FOLDER/answers")
[ -n "$answer" ] || exit 1
printf '%s\\n' "$answer"
"""


@dataclass(frozen=True)
class Server:
    """One SSH server in an inventory, with the key that its accounts trust."""

    name: str
    address: str
    port: int
    known_hosts: str
    key: str


@dataclass(frozen=True)
class LoginResult:
    """Whether a login was let in, which prompts were shown, and what the command (or the client) printed."""

    allowed: bool
    prompts: list[str] = field(default_factory=list)
    output: str = ""

    @property
    def asked(self) -> bool:
        return bool(self.prompts)


def servers(inventory: str | Path) -> list[Server]:
    """The servers in an inventory written by `lab up`."""
    group = yaml.safe_load(Path(inventory).read_text())["all"]
    common = group.get("vars", {})
    found = []
    for name, own in group["hosts"].items():
        values = {**common, **(own or {})}
        found.append(
            Server(
                name,
                values["ansible_host"],
                int(values["ansible_port"]),
                values["lab_known_hosts"],
                values["ansible_ssh_private_key_file"],
            )
        )
    return found


@contextmanager
def transport_to(server: Server) -> Iterator[paramiko.Transport]:
    """A connection to the server before authentication, with time limits suitable for a busy machine.

    Made a second time if it breaks before the keys are exchanged, which says nothing about a login: an sshd 10.0 that
    had just taken over a new configuration was seen to answer in plain text.
    """
    try:
        transport = _connected(server)
    except (paramiko.SSHException, EOFError):
        transport = _connected(server)
    try:
        yield transport
    finally:
        transport.close()


def _connected(server: Server) -> paramiko.Transport:
    transport = paramiko.Transport((server.address, server.port))
    transport.banner_timeout = transport.handshake_timeout = transport.auth_timeout = TIMEOUT
    try:
        transport.start_client(timeout=TIMEOUT)
    except BaseException:
        transport.close()
        raise
    return transport


def login(
    server: Server, user: str, answers: Sequence[str] = (), key: bool = True, command: str = "id -un"
) -> LoginResult:
    """Log in with paramiko: first with the key (unless `key` is false), then with the answers to all prompts."""
    prompts: list[str] = []
    left = list(answers)

    def answer(_title: str, _instructions: str, fields: Sequence[tuple[str, bool]]) -> list[str]:
        prompts.extend(prompt for prompt, _echo in fields)
        return [left.pop(0) if left else "" for _round in fields]

    with transport_to(server) as transport:
        try:
            methods = (
                transport.auth_publickey(user, paramiko.Ed25519Key.from_private_key_file(server.key)) if key else None
            )
            if not transport.is_authenticated() and (methods is None or "keyboard-interactive" in methods):
                transport.auth_interactive(user, answer)
        except (paramiko.AuthenticationException, paramiko.SSHException, EOFError) as error:
            return LoginResult(False, prompts, str(error))
        if not transport.is_authenticated():
            return LoginResult(False, prompts, "partial success only")
        channel = transport.open_session(timeout=TIMEOUT)
        channel.settimeout(TIMEOUT)
        channel.exec_command(command)
        output = channel.makefile().read().decode().strip()
        return LoginResult(channel.recv_exit_status() == 0, prompts, output)


def client_options(server: Server, key: bool = True) -> list[str]:
    """Options for ssh, sftp and scp that reach the server and check its host key; the machine's configuration is
    ignored."""
    options = [
        *("-F", "none", "-o", f"Port={server.port}", "-o", f"UserKnownHostsFile={server.known_hosts}"),
        *("-o", "GlobalKnownHostsFile=none", "-o", "IdentitiesOnly=yes", "-o", f"ConnectTimeout={TIMEOUT}"),
    ]
    return [*options, "-i", server.key] if key else [*options, "-o", "PubkeyAuthentication=no"]


def run_client(argv: Sequence[str], answers: Sequence[str] = (), stdin: str = "") -> LoginResult:
    """Run ssh, sftp, scp, rsync or git with an askpass program that gives the answers and records the prompts."""
    with _askpass(answers) as (environment, prompts):
        done = subprocess.run(
            argv, env=environment, input=stdin, capture_output=True, text=True, timeout=2 * TIMEOUT, check=False
        )
        return LoginResult(done.returncode == 0, prompts(), (done.stdout + done.stderr).strip())


@contextmanager
def _askpass(answers: Sequence[str]) -> Iterator[tuple[dict[str, str], Callable[[], list[str]]]]:
    with tempfile.TemporaryDirectory() as folder:
        program, noted = Path(folder, "askpass"), Path(folder, "prompts")
        program.write_text(_ASKPASS)
        program.chmod(stat.S_IRWXU)
        Path(folder, "answers").write_text("".join(f"{answer}\n" for answer in answers))
        environment = {
            **os.environ,
            "SSH_ASKPASS": str(program),
            "SSH_ASKPASS_REQUIRE": "force",
            "LOGIN_FOLDER": folder,
            "DISPLAY": os.environ.get("DISPLAY", ":0"),
        }
        environment.pop("SSH_AUTH_SOCK", None)
        yield environment, lambda: noted.read_text().splitlines() if noted.exists() else []


def through_forwarding(server: Server, user: str) -> bytes:
    """The first bytes received by `ssh -L` from the server's own port 22; empty if forwarding is refused."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = [*client_options(server), "-o", "BatchMode=yes", "-L", f"{port}:127.0.0.1:22"]
    tunnel = subprocess.Popen(["ssh", "-N", *options, f"{user}@{server.address}"], stdin=subprocess.DEVNULL)
    try:
        return _first_bytes(port, tunnel)
    finally:
        tunnel.terminate()
        tunnel.wait()


def _first_bytes(port: int, tunnel: subprocess.Popen[bytes]) -> bytes:
    """As soon as the client listens, which it does after the login."""
    deadline = time.monotonic() + TIMEOUT
    while tunnel.poll() is None and time.monotonic() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT) as connection:
                return connection.recv(20)
        except ConnectionRefusedError:
            time.sleep(0.1)
    raise AssertionError("ssh -L ended or did not listen: there was no login")
