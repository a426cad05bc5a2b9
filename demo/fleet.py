# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the fleetmfa.ssh authors
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
USERS = ("alice", "bob")


@dataclass(frozen=True)
class Fleet:
    servers: list[Server]
    secrets: dict[str, str]

    @classmethod
    def start(cls, hosts: str) -> Fleet:
        """Hosts as the distribution ships them (those of an earlier run are removed) and new keys for their users."""
        _run([sys.executable, "-m", "lab", "down", "--instance", "demo"], quiet=True)
        _run([sys.executable, "-m", "lab", "up", "--instance", "demo", "--hosts", hosts, "--users", " ".join(USERS)])
        KEYS.touch(mode=0o600)
        KEYS.write_text(json.dumps({"mfa_keys": [{"user": user, "secret": pyotp.random_base32()} for user in USERS]}))
        return cls.load()

    @classmethod
    def load(cls) -> Fleet:
        keys = yaml.safe_load(KEYS.read_text())["mfa_keys"]
        return cls(servers(INVENTORY), {key["user"]: key["secret"] for key in keys})

    def playbook(self, name: str, *variables: str, extra: dict | None = None) -> None:
        arguments = [argument for variable in variables for argument in ("-e", variable)]
        command = ["ansible-playbook", "-i", str(INVENTORY), "-e", f"@{KEYS}", *arguments]
        if extra is not None:
            # By standard input: what stands in the arguments of a process, everybody on the machine can read.
            _run([*command, "-e", "@/dev/stdin", name], stdin=json.dumps(extra))
        else:
            _run([*command, name])

    def validate(self, user: str) -> None:
        """Two tokens of the steps before this one and now, as a user would read them off the phone."""
        now = time.time()
        tokens = [self.token(user, now - 30), self.token(user, now)]
        self.playbook("fleetmfa.ssh.validate", extra={"mfa_validate_user": user, "mfa_validate_tokens": tokens})

    def token(self, user: str, when: float) -> str:
        return pyotp.TOTP(self.secrets[user]).at(int(when))

    def fresh_token(self, user: str) -> str:
        """The token of the step to come: the host takes it already, and no earlier login can have used it."""
        return self.token(user, time.time() + 30)


def _run(command: list[str], stdin: str = "", quiet: bool = False) -> None:
    done = subprocess.run(command, input=stdin, text=True, stdout=subprocess.DEVNULL if quiet else None, check=False)
    if done.returncode:
        raise SystemExit(f"demo: failed: {' '.join(command)}")
