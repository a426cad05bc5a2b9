# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Every playbook is run by olivia, whom the first one enforces; account `ansible` runs none of them.

The tests are the story of one fleet, in this order.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from pathlib import Path

import pyotp
import pytest
import yaml

from lab.logins import login, servers

INVENTORY = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "inventory" / "lab.yml"
SERVERS = servers(INVENTORY)
STORE_SECRET = "of a test fleet\n"


class Operator:
    """olivia, at her controller."""

    def __init__(self, folder: Path):
        self.secret = pyotp.random_base32()
        self.vault = folder / "vault-secret"
        self.vault.write_text(STORE_SECRET)
        self.vault.chmod(0o600)
        self.folder = folder
        self._connections = folder / "cp"
        values = yaml.safe_load(INVENTORY.read_text())
        values["all"]["vars"].update(
            {
                "ansible_connection": "fleetmfa.ssh.ssh_totp",
                "ansible_user": "olivia",
                "mfa_store": "vault_file",
                "mfa_store_path": str(folder / "store"),
                "mfa_exempt_users": ["ansible"],
                "mfa_rate_limit_attempts": 100,
            }
        )
        self._inventory = folder / "fleet.yml"
        self._inventory.write_text(yaml.safe_dump(values))

    def play(self, playbook: str, *arguments: str, **variables) -> subprocess.CompletedProcess:
        """A run with twenty forks. Variables stand in a file, since arguments are seen by everybody."""
        given = self.folder / "variables.json"
        given.write_text(json.dumps(variables))
        command = ["ansible-playbook", "-i", str(self._inventory), "-f", "20", "-e", f"@{given}", *arguments]
        command += ["--vault-password-file", str(self.vault), f"fleetmfa.ssh.{playbook}"]
        environment = {
            **os.environ,
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_FORCE_COLOR": "0",
            "ANSIBLE_HOME": str(self.folder),
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(self._connections),
        }
        return subprocess.run(
            command, capture_output=True, text=True, check=False, env=environment, stdin=subprocess.DEVNULL
        )

    def close_connections(self) -> None:
        """So that the next run has to log in again."""
        for path in self._connections.glob("*"):
            subprocess.run(["ssh", "-O", "exit", "-o", f"ControlPath={path}", "host"], capture_output=True, check=True)


@pytest.fixture(scope="session")
def operator(tmp_path_factory):
    with_short_path = tmp_path_factory.mktemp("o")  # a control socket's path has a limit of about 100 bytes
    found = Operator(with_short_path)
    yield found
    found.close_connections()


def changed(done: subprocess.CompletedProcess) -> list[int]:
    """How many tasks changed something, for each host."""
    assert done.returncode == 0, said(done)
    counts = [int(count) for count in re.findall(r"^\S+ +: ok=\d+ +changed=(\d+)", done.stdout, re.MULTILINE)]
    assert len(counts) == len(SERVERS), said(done)
    return counts


def said(done: subprocess.CompletedProcess) -> str:
    """Why it failed, on the first line, which is the one that CI shows."""
    failures = re.findall(r"^(?:fatal|failed): .*", done.stdout, re.MULTILINE)
    return f"exit {done.returncode}; {' '.join(failures)}\n{done.stdout}{done.stderr}"


def asked(user: str) -> list[str]:
    """Where the SSH key alone does not let this user in, and a token is asked for."""
    return [server.name for server in SERVERS if not (done := login(server, user)).allowed and done.asked]


EVERYWHERE = [server.name for server in SERVERS]


def test_site_enforces_the_one_who_runs_it(operator):
    """The confirming login of each roll-out is one with a token."""
    assert asked("olivia") == []
    key = {"user": "olivia", "secret": operator.secret, "state": "validated"}
    done = operator.play("site", ansible_totp_secret=operator.secret, mfa_keys=[key])
    assert all(changed(done))
    assert asked("olivia") == EVERYWHERE and asked("alice") == []


def assert_no_news_but_her_tokens(done: subprocess.CompletedProcess) -> None:
    """A run with --diff changed nothing but that it recorded the tokens with which it logged in."""
    changes = changed(done)
    told = re.findall(r"^\+? *(\w+: .*(?:added|created|replaced|->.*|rewritten))$", done.stdout, re.MULTILINE)
    why = f"{changes} changed, {told}; {said(done)}"
    # Each host, and the record in the key store; site changes that once a batch.
    assert len(told) == sum(changes) <= 2 * len(SERVERS), why
    assert not [line for line in told if not re.match("olivia: (validated key: )?used tokens", line)], why


def test_sync_takes_her_key_into_the_key_store(operator):
    operator.close_connections()
    done = operator.play("sync", ansible_totp_secret=operator.secret)
    assert done.returncode == 0, said(done)


def test_the_second_run_has_no_news_but_the_tokens_it_used(operator):
    operator.close_connections()
    key = {"user": "olivia", "secret": operator.secret, "state": "validated"}
    done = operator.play("site", "--diff", ansible_totp_secret=operator.secret, mfa_keys=[key])
    assert_no_news_but_her_tokens(done)


def test_sync_with_the_key_of_the_key_store(operator):
    operator.close_connections()
    done = operator.play("sync", "--diff")
    assert_no_news_but_her_tokens(done)
    assert operator.secret not in done.stdout + done.stderr


def test_status_with_the_key_of_the_key_store(operator):
    operator.close_connections()
    done = operator.play("status")
    assert set(changed(done)) == {0} and re.search("olivia .*validated", done.stdout), done.stdout


def test_a_token_that_she_used_herself(operator):
    """She logs in to one host by hand, and the sync makes that token count as used on all of them. The run straight after it
    waits for the next one. (On a machine where these take longer than a time step there is nothing to wait for.)"""
    assert operator.play("status").returncode == 0  # its connections stay open for the sync
    seconds = 30 - time.time() % 30
    time.sleep(seconds)
    assert login(SERVERS[0], "olivia", answers=[pyotp.TOTP(operator.secret).now()]).allowed
    assert_no_news_but_her_tokens(operator.play("sync", "--diff"))
    operator.close_connections()
    done = operator.play("status", "-v")
    assert set(changed(done)) == {0}


def test_audit_with_the_key_of_the_key_store(operator):
    operator.close_connections()
    done = operator.play("audit", mfa_audit_dest=str(operator.folder / "audit"), mfa_audit_fail_on="none")
    assert done.returncode == 0, said(done)
    document = json.loads((operator.folder / "audit/audit.json").read_text())
    states = [
        one["state"] for host in document["hosts"] for one in host["evidence"]["users"] if one["user"] == "olivia"
    ]
    assert states == ["enforced"] * len(SERVERS) and document["not_reached"] == []


def test_without_a_key_the_hosts_are_not_reached(operator):
    operator.close_connections()
    done = operator.play("status", mfa_store="")
    assert done.returncode != 0
    assert len(re.findall("no secret for this user here", done.stdout)) >= len(SERVERS), done.stdout


def test_remove(operator):
    """The key store is the operator's, and stays."""
    done = operator.play("remove")
    assert all(changed(done))
    assert [server.name for server in SERVERS if not login(server, "olivia").allowed] == []
