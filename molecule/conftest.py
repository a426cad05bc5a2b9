# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Shared by the tests of all scenarios: the hosts, root access, the keys of their users, unused tokens."""

from __future__ import annotations

import functools
import json
import os
import re
import shlex
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

import pyotp
import pytest
import testinfra.backend.base
import testinfra.host
import yaml
from xdist.scheduler import LoadScopeScheduling

from lab.logins import servers
from lab.root import Root

SCENARIO = Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"])
INVENTORY = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "inventory" / "lab.yml"
SERVERS = servers(INVENTORY)


class ByHost(LoadScopeScheduling):
    """If a scenario has `n` workers: the hosts in parallel, the tests of one host one after another."""

    def _split_scope(self, nodeid):
        words = re.split(r"[\[\]-]", nodeid)
        return next((server.name for server in SERVERS if server.name in words), "")


def pytest_xdist_make_scheduler(config, log):
    return ByHost(config, log)


@pytest.fixture(params=SERVERS, ids=lambda server: server.name, scope="session")
def server(request):
    """One SSH server of the scenario; each test runs against each."""
    return request.param


@pytest.fixture
def attributes(root):
    """attributes("/etc", "pam.d"): owner, permissions, ACL and extended attributes of everything there, by name."""
    script = (Path(__file__).parent / "shared" / "attributes.py").read_text()

    def listed(above, *names):
        return root.run_expect([0], f"cd {above}\npython3 - list {' '.join(names)} <<'END'\n{script}\nEND\n").stdout

    return listed


class LabBackend(testinfra.backend.base.BaseBackend):
    """Tells testinfra how to run a command."""

    NAME = "lab"

    def __init__(self, name):
        super().__init__(name)
        self._root = Root(INVENTORY, name)

    def run(self, command, *args, **kwargs):
        command = self.get_command(command, *args)
        done = self._root.run("/bin/sh", "-c", command)
        return self.result(done.returncode, self.encode(command), done.stdout, done.stderr)


@functools.cache
def root_of(name):
    """testinfra's access to a host, as root and through the container engine, so that it never depends on a login."""
    return testinfra.host.Host(LabBackend(name))


@pytest.fixture
def root(server):
    return root_of(server.name)


class Told(NamedTuple):
    """The prompts in turn, P for a password and T for a token, and as whom the command ran ("" if it did not)."""

    prompts: str
    ran_as: str


@pytest.fixture
def told(root):
    """told(program, given): what a program for hosts, whose argument and output are JSON, has been told there."""

    def run(program, given):
        script, argument = program.read_text(), shlex.quote(json.dumps(given))
        answer = json.loads(root.run_expect([0], f"python3 - {argument} <<'END'\n{script}\nEND\n").stdout)
        print(answer)  # pytest shows it if the test fails
        return Told(answer["prompts"], answer["ran_as"])

    return run


@pytest.fixture
def terminal(told):
    """terminal(user, command, answer, ...): the command as this user, whose prompts are answered in turn."""
    program = Path(__file__).parent / "shared" / "terminal.py"
    return lambda user, command, *answers: told(program, {"user": user, "command": command, "answers": answers})


# The sockets that sshd listens on; after a reload they are new ones.
_LISTENING = "awk '$4 == \"0A\" && $2 ~ /:0016$/ {print $10}' /proc/net/tcp /proc/net/tcp6"
_RELOAD_SECONDS = 120


@pytest.fixture
def reload_sshd(root):
    """Reload sshd and wait until the new configuration is in effect: `systemctl reload` returns before that."""

    def reload():
        before = set(root.check_output(_LISTENING).split())
        root.run_expect([0], "systemctl reload ssh")
        deadline = time.monotonic() + _RELOAD_SECONDS
        while not (now := set(root.check_output(_LISTENING).split())) or now & before:
            assert time.monotonic() < deadline, "sshd does not listen again"
            time.sleep(0.1)

    return reload


class Key:
    """A user's key as stored in the authenticator; every token it gives is from a step not used before.

    `used` is the beginning of the paths of files for the used steps, since a phase of the scenario, which is a process of
    its own, may begin within a step that the one before it used.
    """

    def __init__(self, secret: str, recovery_codes: list[str], used: Path):
        self.totp = pyotp.TOTP(secret)
        self.recovery_codes = recovery_codes
        self._used = used

    def token(self) -> str:
        """A token that the host accepts for at least 30 s more (of the next or the current step), waiting for one if
        necessary."""
        while True:
            now = int(time.time() // 30)
            for step in (now + 1, now):
                used = self._used.with_name(f"{self._used.name}-{step}")
                if not used.exists():
                    used.touch()
                    return self.totp.at(step * 30)
            time.sleep(1)

    def wrong_token(self) -> str:
        """Six digits that are not the token of any step near now."""
        now = int(time.time() // 30)
        near = {self.totp.at(step * 30) for step in range(now - 30, now + 30)}
        return next(code for code in (f"{number:06d}" for number in range(100)) if code not in near)


@pytest.fixture(scope="session")
def keys(server):
    """The keys of the scenario's users on this server, by user name; steps are used up separately on each host."""
    found = yaml.safe_load((SCENARIO / "keys.yml").read_text())
    entries = [*found["mfa_keys"], *found.get("left_behind", [])]
    used = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "used_steps"
    used.mkdir(exist_ok=True)
    return {
        entry["user"]: Key(entry["secret"], entry.get("recovery_codes", []), used / f"{server.name}-{entry['user']}")
        for entry in entries
    }


def run_playbook(playbook: str | Path, *arguments: str) -> str:
    """Run a playbook against the scenario's hosts. Returns its output, or fails with it."""
    command = ["ansible-playbook", "-i", str(INVENTORY), *arguments, str(playbook)]
    # Molecule asks for colours, which would stand between the words that tests look for.
    environment = {**os.environ, "ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_NOCOLOR": "1"}
    done = subprocess.run(command, capture_output=True, text=True, cwd=SCENARIO, env=environment, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr  # warnings go to the second


@pytest.fixture(scope="session")
def playbook():
    return run_playbook
