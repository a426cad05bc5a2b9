# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""docs/import.md, step by step. alice has two keys, bob one that was never used, carol none, dave one that counts logins.

The tests are the story of one fleet, in this order.
"""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import pyotp
import pytest

from lab.logins import login, servers
from lab.root import Root

INVENTORY = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "inventory" / "lab.yml"
SERVERS = {server.name: server for server in servers(INVENTORY)}
OLD, NEW = "debian12", "debian13"
GUIDE = Path(__file__).parents[3] / "docs/import.md"
ASKED_ONCE = ["Verification code: "]
ROOTS = {name: Root(INVENTORY, name) for name in SERVERS}


def root(name: str, command: str) -> str:
    """The output of a command as root."""
    return ROOTS[name].output(command)


class App:
    """The authenticator app of a user, with the entry for one host; each token is shown once."""

    def __init__(self, name: str, user: str):
        self._totp = pyotp.TOTP(root(name, f"head -1 /home/{user}/.google_authenticator").strip())
        self.secret = self._totp.secret
        self._last = 0

    def token(self) -> str:
        """Of the next step, so that it counts for a while on a busy machine."""
        while (step := int(time.time() // 30) + 1) <= self._last:
            time.sleep(1)
        self._last = step
        return self._totp.at(step * 30)


@pytest.fixture(scope="session")
def apps():
    return {(name, user): App(name, user) for name, user in [(OLD, "alice"), (NEW, "alice"), (OLD, "bob")]}


@pytest.fixture
def run(playbook, apps, tmp_path_factory):
    """run("sync") -> what it prints, without any secret."""
    folder = tmp_path_factory.getbasetemp()
    password = folder / "vault-password"
    password.write_text("of a test fleet\n")

    def run_(name: str, *options: str) -> str:
        store = f"mfa_store=vault_file mfa_store_path={folder}/store mfa_serial=100% mfa_rate_limit_attempts=100 mfa_window=9"
        output = playbook(name, "-e", store, "--vault-password-file", str(password), *options)
        assert not [app for app in apps.values() if app.secret in output]
        return output

    return run_


def test_the_old_set_up_asks(apps):
    for name in (OLD, NEW):
        done = login(SERVERS[name], "alice", [apps[name, "alice"].token()])
        assert done.allowed and done.prompts == ASKED_ONCE, done
        time.sleep(31)  # the second host's key is used in a later time step
    assert not login(SERVERS[OLD], "carol").allowed, "who has no file has no way in with these lines"


def test_check_and_import(run):
    told = [
        f"alice on {NEW}: imported as validated; 5 recovery codes",
        f"alice on {OLD}: NOT imported (another key of this person was used more recently, on {NEW})",
        f"bob on {OLD}: imported as pending (no login with it is on record)",
        f"dave on {NEW}: NOT imported (the key counts logins (HOTP)",
    ]
    for options in (["--check", "--diff", "-vvv"], []):
        output = " ".join(run("fleetmfa.ssh.import_keys", *options).split())  # long lines are broken
        assert [line for line in told if line not in output] == []
    assert not re.search("changed=[1-9]", run("fleetmfa.ssh.import_keys"))


def test_one_entry_everywhere_and_one_question(run, apps):
    assert "import their keys (playbook import_keys" in run("fleetmfa.ssh.site")
    run("fleetmfa.ssh.sync")
    for name in (OLD, NEW):
        done = login(SERVERS[name], "alice", [apps[NEW, "alice"].token()])
        assert done.allowed and done.prompts == ASKED_ONCE, done
    assert not login(SERVERS[OLD], "alice", [apps[OLD, "alice"].token()]).allowed, "the other entry"


def test_a_pending_key_counts_after_a_login_with_it(run, apps):
    done = login(SERVERS[OLD], "bob", [apps[OLD, "bob"].token()])
    assert done.allowed and done.prompts == ASKED_ONCE, done
    assert "bob" not in root(OLD, "getent group mfa-enforced")
    assert f"bob on {OLD}: imported as validated" in run("fleetmfa.ssh.import_keys")
    run("fleetmfa.ssh.sync")
    for name in (OLD, NEW):
        assert "bob" in root(name, "getent group mfa-enforced")
        done = login(SERVERS[name], "bob", [apps[OLD, "bob"].token()])
        assert done.allowed and done.prompts == ASKED_ONCE, done


def test_the_old_lines_go(run, apps, tmp_path):
    book = tmp_path / "take_out.yml"
    (block,) = re.findall(r"^```yaml\n(- name: Take the old.*?)^```", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    book.write_text(block)
    run(str(book), "-e", "target=all")
    assert "host_tokens" not in run("fleetmfa.ssh.site")
    for name in (OLD, NEW):
        assert "/var/lib/fleetmfa" in root(name, "cat /etc/pam.d/sshd*")
        done = login(SERVERS[name], "alice", [apps[NEW, "alice"].token()])
        assert done.allowed and done.prompts == ASKED_ONCE, done
        assert not login(SERVERS[name], "alice", ["000000"]).allowed
        assert not login(SERVERS[name], "alice", [apps[NEW, "alice"].token()], key=False).allowed
        done = login(SERVERS[name], "carol")
        assert done.allowed and not done.asked, done


def test_the_old_files_go():
    (command,) = re.findall(r"-a '(getent passwd .*?)'\n", GUIDE.read_text(), re.DOTALL)
    for name in (OLD, NEW):
        root(name, command)
        assert (
            root(name, "ls -d /home/alice/.google_authenticator /home/bob/.google_authenticator 2>/dev/null || true")
            == ""
        )
