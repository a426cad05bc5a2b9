# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The hosts of the demonstration, the keys of their users, and the playbooks run against them."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pyotp
import yaml

from lab.logins import Server, servers

FOLDER = Path.cwd() / ".lab" / "demo"
INVENTORY = FOLDER / "inventory.yml"
KEYS = FOLDER / "keys.yml"
ANSWERS = FOLDER / "answers.yml"
USERS = ("alice", "bob")


@dataclass(frozen=True)
class Fleet:
    servers: list[Server]
    secrets: dict[str, str]

    @classmethod
    def start(cls, hosts: str) -> Fleet:
        """Hosts as shipped by the distribution (those of an earlier run are removed), and new keys for their users."""
        lab = [sys.executable, "-m", "lab"]
        if INVENTORY.exists():
            _run([*lab, "down", "--instance", "demo"])
        _run([*lab, "up", "--instance", "demo", "--hosts", hosts, "--users", " ".join(USERS)])
        _write_private(KEYS, {"mfa_keys": [{"user": user, "secret": pyotp.random_base32()} for user in USERS]})
        return cls.load()

    @classmethod
    def load(cls) -> Fleet:
        keys = yaml.safe_load(KEYS.read_text())["mfa_keys"]
        return cls(servers(INVENTORY), {key["user"]: key["secret"] for key in keys})

    def playbook(self, name: str, *arguments: str) -> None:
        _run(["ansible-playbook", "-i", str(INVENTORY), "-e", f"@{KEYS}", *arguments, name])

    def validate(self, user: str) -> None:
        """With two tokens, of the previous time step and of the current one, as a user would read them from the
        phone."""
        now = time.time()
        answers = {
            "mfa_validate_user": user,
            "mfa_validate_first": self.token(user, now - 30),
            "mfa_validate_second": self.token(user, now),
        }
        # In a file, since everybody on the machine can read the arguments of a process.
        _write_private(ANSWERS, answers)
        try:
            self.playbook("fleetmfa.ssh.validate", "-e", f"@{ANSWERS}")
        finally:
            ANSWERS.unlink()

    def token(self, user: str, when: float) -> str:
        return pyotp.TOTP(self.secrets[user]).at(int(when))

    def fresh_token(self, user: str) -> str:
        """The token of the next time step: the host already accepts it, and no earlier login can have used it."""
        return self.token(user, time.time() + 30)


def _write_private(path: Path, content: object) -> None:
    path.touch(mode=0o600)
    path.write_text(json.dumps(content))


def _run(command: list[str]) -> None:
    if subprocess.run(command, check=False).returncode:
        raise SystemExit(f"demo: failed: {' '.join(command)}")
