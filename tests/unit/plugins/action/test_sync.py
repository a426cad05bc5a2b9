# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Playbook sync as Ansible runs it, on two hosts that are this machine: what is shown, and what stops a run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from ansible.parsing.vault import VaultSecret

from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.ids import code_id
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.key_file import KeyFile, KeySettings
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.state_dir import StateDir
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.totp import decode_secret
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._role_settings import OF_PLAYBOOKS
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.person import Person
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.vault_file import VaultFile
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.vault_text import VaultText
from ansible_collections.fleetmfa.ssh.tests.support.people import CODES, START, secret

ROOT = Path(__file__).parents[4]
PASSWORD = "a vault password"


class TwoHosts:
    def __init__(self, folder):
        self.folder = folder
        self.state = {name: StateDir(str(folder / name)) for name in ("web1", "web2")}
        self.password = folder / "password"
        self.password.write_text(PASSWORD)
        self.variables = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "ansible_become": False,
            "mfa_store": "vault_file",
            "mfa_store_path": str(folder / "store.yml"),
            "mfa_unknown_first_factor": "accept",
        }

    @property
    def store(self):
        return VaultFile(str(self.folder / "store.yml"), VaultText([("default", VaultSecret(PASSWORD.encode()))]))

    def validated(self, host, user, name):
        key = KeyFile.create(secret(name), KeySettings(), "SSH", user, CODES, START)
        self.state[host].prepare()
        self.state[host].save_pending(user, key)
        self.state[host].promote(user, key)

    def sync(self, *options, **more):
        return self.play("fleetmfa.ssh.sync", *options, **more)

    def play(self, playbook, *options, ok=True, vault=True, run=subprocess.run, **variables):
        """The output of the playbook; the arguments of the roles' own defaults are the hosts'."""
        hosts = {name: {"state": state.path, "mfa_group": f"mfa-{name}"} for name, state in self.state.items()}
        prompted = {name: variables.pop(name) for name in OF_PLAYBOOKS if name in variables}
        inventory = {"all": {"hosts": hosts, "vars": {**self.variables, **variables}}}
        (self.folder / "inventory.yml").write_text(yaml.safe_dump(inventory))
        command = ["ansible-playbook", "-i", str(self.folder / "inventory.yml"), *options]
        command += [
            "-e",
            json.dumps({"mfa__state_dir": "{{ state }}", **prompted}),
        ]  # a variable of the role, which comes before hosts'
        command += ["--vault-password-file", str(self.password)] if vault else []
        done = run(
            [*command, playbook], cwd=ROOT, capture_output=True, text=True, check=False, start_new_session=True,
            env={**os.environ, "ANSIBLE_NOCOLOR": "1"},
        )  # fmt: skip
        output = done.stdout + done.stderr
        assert (done.returncode == 0) is ok, output
        self._refuse_secrets(output)
        return output

    @staticmethod
    def _refuse_secrets(output):
        for name in ("one", "two"):
            assert secret(name) not in output
            assert code_id(decode_secret(secret(name)), CODES[0]) not in output
        assert not any(code in output for code in CODES) and PASSWORD not in output


@pytest.fixture
def hosts(accounts, tmp_path):
    Path("/etc/ssh").mkdir()
    # Some public key: nobody is enforced without one.
    Path("/etc/ssh/sshd_config").write_text("UsePAM yes\nAuthorizedKeysFile /etc/ssh/ssh_host_ed25519_key.pub\n")
    subprocess.run(["ssh-keygen", "-A"], check=True, capture_output=True)
    return TwoHosts(tmp_path)


def test_sync(hosts):
    hosts.validated("web1", "alice", "one")
    checked = hosts.sync("--check", "--diff", "-vvv")
    assert "alice: key " in checked and not (hosts.folder / "store.yml").exists()
    hosts.sync("--diff", "-vvv")
    assert hosts.state["web2"].validated("alice").secret_text == secret("one")
    assert hosts.store.read()["alice"].current.validated.validated.host == "web1"
    assert "changed=0" in hosts.sync() and "changed=1" not in hosts.sync()


def test_nothing_is_shown_for_debugging_either(hosts, monkeypatch):
    monkeypatch.setenv("ANSIBLE_DEBUG", "1")
    hosts.validated("web1", "alice", "one")
    hosts.sync("-vvvv", "--diff")
    assert hosts.state["web2"].validated("alice") is not None


def test_a_clock_that_is_off(hosts):
    """The host's clock cannot be changed here, so the one of its module is."""
    hosts.validated("web1", "alice", "one")
    late = hosts.folder / "late/sitecustomize.py"
    late.parent.mkdir()
    late.write_text("import time\nnow = time.time\ntime.time = lambda: now() - 3600\n")
    python = hosts.folder / "late/python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={late.parent} exec {sys.executable} "$@"\n')
    python.chmod(0o700)
    output = hosts.sync("-v", ansible_python_interpreter=str(python))
    assert "host_clock_off" in output and "s behind the controller's" in output
    assert not (hosts.folder / "store.yml").exists()


def test_an_alias(hosts):
    hosts.validated("web1", "alice", "one")
    hosts.sync()
    store = hosts.store
    store.read()
    vault = VaultText([("default", VaultSecret(PASSWORD.encode()))])
    path = hosts.folder / "store.yml"
    head, people = vault.decrypt(path.read_bytes(), "").split(b"\n", 1)
    edited = {**json.loads(head), "aliases": {"web2": {"bob": "alice"}}}
    path.write_bytes(vault.encrypt(json.dumps(edited).encode() + b"\n" + people, None))
    hosts.sync()
    assert hosts.state["web2"].validated("bob").secret_text == secret("one")
    assert hosts.state["web1"].validated("bob") is None


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"vault": False}, "no vault secret was given"),
        ({"mfa_store": ""}, "mfa_store: is missing"),
        ({"mfa_store": "{{ nowhere }}"}, "mfa_store: cannot be computed"),
        ({"mfa_store_paht": "/srv/store"}, "did you mean mfa_store_path?"),
    ],
)
def test_without_a_store_no_host_is_touched(hosts, options, told):
    hosts.validated("web1", "alice", "one")
    assert told in hosts.sync(ok=False, **options)
    assert not hosts.state["web2"].users()


def test_a_store_that_cannot_be_decrypted(hosts):
    hosts.validated("web1", "alice", "one")
    hosts.sync()
    hosts.password.write_text("another password of the vault")
    assert "cannot be decrypted" in hosts.sync(ok=False)


def test_another_store(hosts):
    """It was lost, and somebody has begun a new one: the keys of the hosts are not those of the new one."""
    hosts.validated("web1", "alice", "one")
    hosts.sync()
    assert "came from another key store" in hosts.sync(ok=False, mfa_store_path=str(hosts.folder / "other.yml"))
    assert not (hosts.folder / "other.yml").exists()


def test_a_leaver(hosts):
    hosts.validated("web1", "alice", "one")
    hosts.sync()
    hosts.store.merge_in({"alice": Person("alice", revoked_through=1)})
    hosts.sync("--diff", "-vvv")
    for state in hosts.state.values():
        assert state.validated("alice").secret_text != secret("one")


def test_options_that_only_the_action_gives(hosts, tmp_path):
    for task, told in (
        ({"fleetmfa.ssh.totp_key_collect": {"seal": "00"}}, "the action makes it"),
        ({"fleetmfa.ssh.totp_key_distribute": {"accounts": [], "_stored": {}}}, "_stored is no option"),
        ({"fleetmfa.ssh.totp_key_distribute": {"accounts": "alice"}}, "give the list that totp_key_collect"),
    ):
        book = tmp_path / "play.yml"
        variables = {**hosts.variables, "ansible_become": False}
        book.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "vars": variables, "tasks": [task]}]))
        command = ["ansible-playbook", "-i", "web1,", "--vault-password-file", str(hosts.password), str(book)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode and told in done.stdout + done.stderr, done.stdout + done.stderr
