# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The hosts of the fleet, runs of `sync`, and how users get in."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from pathlib import Path

import pyotp
import pytest
from killed_run import KilledRun

from lab.logins import login, servers
from lab.root import Root

SCENARIO = Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"])
INVENTORY = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "inventory" / "lab.yml"
SERVERS = {server.name: server for server in servers(INVENTORY)}
NAMES = sorted(SERVERS)
STEP = 30  # seconds
ENVIRONMENT = {**os.environ, "ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_NOCOLOR": "1"}


class Run:
    """A run of a playbook: whether it succeeded, what it printed, and on which hosts it changed something."""

    def __init__(self, done: subprocess.CompletedProcess):
        self.succeeded = done.returncode == 0
        self.output = done.stdout + done.stderr
        counts = re.findall(r"^(\S+) +: ok=\d+ +changed=(\d+)", done.stdout, re.MULTILINE)
        self.hosts = {name for name, _changed in counts}
        self.changed = {name for name, changed in counts if changed != "0"}


class Fleet:
    def __init__(self, folder: Path):
        self.store = folder / "store"
        self.secret = folder / "vault-secret"
        self.secret.write_text("of a test fleet\n")
        self.secret.chmod(0o600)
        self._roots = {name: Root(INVENTORY, name) for name in NAMES}

    def play(self, playbook: str, target: str, *arguments: str) -> Run:
        always = ["-e", f"target={target} mfa_rate_limit_attempts=100"]
        command = ["ansible-playbook", "-i", str(INVENTORY), *always, *arguments, playbook]
        return Run(subprocess.run(command, capture_output=True, text=True, cwd=SCENARIO, env=ENVIRONMENT, check=False))

    @property
    def stored(self) -> bytes | None:
        """The file of the key store, None if there is none."""
        return self.store.read_bytes() if self.store.exists() else None

    def records(self) -> dict[str, dict]:
        """The records in the key store, by user."""
        records = map(json.loads, self._vault("view").splitlines())
        return {record["user"]: record for record in records if "user" in record}

    def set_aliases(self, aliases: dict[str, dict[str, str]]) -> None:
        """As an operator does with `ansible-vault edit`."""
        self._vault("decrypt")
        head, _end, people = self.store.read_text().partition("\n")
        self.store.write_text(f"{json.dumps({**json.loads(head), 'aliases': aliases})}\n{people}")
        self._vault("encrypt")

    def _vault(self, action: str) -> str:
        command = ["ansible-vault", action, "--vault-password-file", str(self.secret), str(self.store)]
        return subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=True).stdout

    def sync_to_kill(self, *arguments: str) -> KilledRun:
        """A run of `sync` over all hosts that has only been started."""
        store = f"target=all mfa_rate_limit_attempts=100 mfa_store=vault_file mfa_store_path={self.store}"
        options = ["--vault-password-file", str(self.secret), "-e", store, *arguments, "fleetmfa.ssh.sync"]
        command = ["ansible-playbook", "-i", str(INVENTORY), *options]
        return KilledRun(command, ENVIRONMENT, self.store.with_name("killed.log"))

    def sync(self, target: str = "all", *arguments: str, secret: Path | None = None) -> Run:
        return self._with_store("fleetmfa.ssh.sync", target, *arguments, secret=secret)

    def site(self, target: str, *arguments: str, secret: Path | None = None) -> Run:
        """As in converge.yml, with the key store."""
        return self._with_store(
            "fleetmfa.ssh.site", target, "-e", "mfa_exempt_users=ansible", *arguments, secret=secret
        )

    def decide(self, playbook: str, target: str = "all", **variables: str) -> Run:
        """Run recover, revoke or unlock, with a reason."""
        given = json.dumps({"mfa_reason": "a test of the fleet", **variables})
        return self._with_store(f"fleetmfa.ssh.{playbook}", target, "-e", given)

    def _with_store(self, playbook: str, target: str, *arguments: str, secret: Path | None = None) -> Run:
        store = f"mfa_store=vault_file mfa_store_path={self.store}"
        options = ["--vault-password-file", str(secret or self.secret), "-e", store, *arguments]
        return self.play(playbook, target, *options)

    def root(self, name: str, command: str) -> str:
        """The output of a command as root."""
        return self._roots[name].output(command)

    def validate(self, name: str, user: str, device: str | None = None) -> pyotp.TOTP:
        """Validate the pending key that this host has, of the first device or a second one, with two tokens. Returns the key."""
        folder = "second-pending" if device else "pending"
        totp = pyotp.TOTP(self.root(name, f"head -1 /var/lib/fleetmfa/{folder}/{user}").strip())
        now = time.time()
        variables = f"mfa_validate_first={totp.at(now)} mfa_validate_second={totp.at(now + STEP)}"
        variables += f" mfa_validate_device={device}" if device else ""
        run = self.play("fleetmfa.ssh.validate", name, "-e", f"mfa_validate_user={user} {variables}")
        assert run.succeeded, run.output
        return totp


@pytest.fixture(scope="session")
def fleet(tmp_path_factory):
    return Fleet(tmp_path_factory.mktemp("controller"))


@pytest.fixture
def gets_in():
    """gets_in("debian11", "alice", token): whether a login with the SSH key and this token succeeds."""

    def attempt(name: str, user: str, token: str) -> bool:
        done = login(SERVERS[name], user, [token])
        assert set(done.prompts) == {"Verification code: "}, done  # more than once if the first answer is wrong
        return done.allowed

    return attempt


@pytest.fixture
def not_asked():
    """not_asked("debian11", "bob"): whether the SSH key alone is enough."""

    def attempt(name: str, user: str) -> bool:
        done = login(SERVERS[name], user)
        return done.allowed and not done.asked

    return attempt


def fresh_token(totp: pyotp.TOTP, after: int) -> tuple[int, str]:
    """The token of the current step, or of the next one after `after`, and its step; waits for it if necessary."""
    while (step := int(time.time() // STEP) + 1) <= after:
        time.sleep(1)
    return step, totp.at(step * STEP)
