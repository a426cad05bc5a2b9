# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Playbook import_keys as Ansible runs it, on two hosts that are this machine: what is imported, reported and shown."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from ansible.parsing.vault import VaultLib, VaultSecret

from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.key_file import KeyFile, KeySettings
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.state_dir import StateDir
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.person import Person
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.vault_file import VaultFile
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.vault_text import VaultText
from ansible_collections.fleetmfa.ssh.tests.support.people import CODES, START, secret

ROOT = Path(__file__).parents[4]
PASSWORD = "a vault password"
NAMES = ("one", "two", "three", "four")
NOW = int(time.time()) // 30


class OldFleet:
    """Two hosts with a folder each of users' files, as `secret=FOLDER/${USER} user=root` has them."""

    def __init__(self, folder):
        self.folder = folder
        for name in ("web1", "web2"):
            (folder / name).mkdir(mode=0o700)
        self.password = folder / "password"
        self.password.write_text(PASSWORD)

    def file(self, host, user, name, *used, codes=CODES):
        path = self.folder / host / user
        path.write_text(
            f'{secret(name)}\n" RATE_LIMIT 3 30\n" DISALLOW_REUSE {" ".join(map(str, used))}\n" TOTP_AUTH\n'
            + "".join(f"{code}\n" for code in codes)
        )
        path.chmod(0o400)

    @property
    def store(self):
        return VaultFile(str(self.folder / "store.yml"), VaultText([("default", VaultSecret(PASSWORD.encode()))]))

    def run(self, *options, ok=True, **variables):
        """The output of the playbook."""
        common = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "ansible_become": False,
            "mfa_store": "vault_file",
            "mfa_store_path": str(self.folder / "store.yml"),
            "mfa_import_secret_file": f"{self.folder}/{{{{ inventory_hostname }}}}/${{USER}}",
            "mfa_import_oath_file": "",
            **variables,
        }
        hosts = {name: {"state": str(self.folder / f"state-{name}")} for name in ("web1", "web2")}
        (self.folder / "inventory.yml").write_text(yaml.safe_dump({"all": {"hosts": hosts, "vars": common}}))
        command = ["ansible-playbook", "-i", str(self.folder / "inventory.yml"), *options]
        command += ["-e", json.dumps({"mfa__state_dir": "{{ state }}"}), "--vault-password-file", str(self.password)]
        done = subprocess.run(
            [*command, "fleetmfa.ssh.import_keys"], cwd=ROOT, capture_output=True, text=True, check=False,
            env={**os.environ, "ANSIBLE_NOCOLOR": "1"},
        )  # fmt: skip
        output = done.stdout + done.stderr
        assert (done.returncode == 0) is ok, output
        assert not [name for name in NAMES if secret(name) in output] and not [code for code in CODES if code in output]
        return output


@pytest.fixture
def fleet(accounts, tmp_path):
    Path("/etc/ssh").mkdir()
    return OldFleet(tmp_path)


def counting(fleet):
    return {name: person.current for name, person in fleet.store.read().items()}


@pytest.mark.release
def test_import(fleet, monkeypatch):
    """With everything that Ansible can be made to print."""
    fleet.file("web1", "alice", "one", NOW - 50, codes=CODES)
    fleet.file("web2", "alice", "one", NOW - 40, codes=CODES[1:])
    fleet.file("web1", "bob", "two")
    (fleet.folder / "web2/carol").write_text("no key\n")
    checked = fleet.run("--check", "--diff", "-vvv")
    assert "alice on web1: imported as validated" in checked and not (fleet.folder / "store.yml").exists()
    monkeypatch.setenv("ANSIBLE_DEBUG", "1")
    output = fleet.run("--diff", "-vvvv")
    monkeypatch.delenv("ANSIBLE_DEBUG")
    assert "bob on web1: imported as pending (no login with it is on record)" in output
    assert "carol on web2: NOT imported (others can read it)" in output
    now = counting(fleet)
    assert set(now) == {"alice", "bob"} and now["bob"].validated is None
    alice = now["alice"].validated
    assert alice.secret == secret("one") and alice.codes == frozenset(CODES[1:])
    assert set(alice.burnt) == {NOW - 50, NOW - 40}
    before = fleet.store.read()
    assert "changed=1" not in fleet.run() and fleet.store.read() == before


def test_two_hosts_with_different_keys(fleet):
    """The one that was used last, whichever host is first; the check says the same."""
    fleet.file("web1", "alice", "one", NOW - 50)
    fleet.file("web2", "alice", "two", NOW - 40)
    fleet.file("web1", "bob", "three", NOW - 50)
    fleet.file("web2", "bob", "four")
    told = "alice on web1: NOT imported (another key of this person was used more recently, on web2)"
    assert told in fleet.run("--check") and told in fleet.run()
    now = counting(fleet)
    assert now["alice"].validated.secret == secret("two") and now["bob"].validated.secret == secret("three")
    assert [len(person.keys) for person in fleet.store.read().values()] == [1, 1]


@pytest.mark.release
def test_a_key_that_was_validated_on_a_host_comes_first(fleet):
    """The store does not know it yet, and the file is of another host."""
    state = StateDir(str(fleet.folder / "state-web1"))
    state.prepare()
    state.save_pending("alice", KeyFile.create(secret("two"), KeySettings(), "SSH", "alice", [], START))
    state.promote("alice", state.pending("alice"))
    fleet.file("web2", "alice", "one", NOW)
    assert "no import replaces it" in fleet.run()
    assert counting(fleet)["alice"].validated.secret == secret("two")


@pytest.mark.release
def test_uris_of_a_variable_and_of_an_encrypted_file(fleet):
    lines = [
        f"otpauth://totp/Ex:alice?secret={secret('one')}&issuer=Ex",
        f"otpauth://totp/Ex:carol?secret={secret('three')}&algorithm=SHA256",
    ]
    vault = VaultLib([("default", VaultSecret(PASSWORD.encode()))])
    (fleet.folder / "uris").write_bytes(vault.encrypt("\n".join(lines)))
    entry = {"user": "bob", "secret": f"otpauth://totp/b?secret={secret('two')}", "state": "validated"}
    options = {"mfa_import_src": str(fleet.folder / "uris"), "mfa_import_keys": [entry]}
    assert "imported as pending" in fleet.run("--check", "-vvv", "--diff", **options)
    output = fleet.run("-vvv", "--diff", **options)
    assert "line 2]" in output and "other than SHA1" in output
    now = counting(fleet)
    assert now["alice"].pending.issuer == "Ex" and now["alice"].validated is None
    assert now["bob"].validated.secret == secret("two") and set(now) == {"alice", "bob"}


@pytest.mark.release
def test_a_leaver_stays_one(fleet):
    fleet.file("web1", "alice", "one", NOW)
    fleet.store.merge_in({"alice": Person("alice", revoked_through=1)})
    assert "only an operator can give a new one" in fleet.run()
    assert counting(fleet)["alice"].denied


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"mfa_import_unused": "enforced"}, "mfa_import_unused: must be one of pending, validated, skip"),
        ({"mfa_import_src": "/nowhere"}, "src: /nowhere cannot be read"),
        ({"mfa_import_keys": ["alice"]}, "mfa_import_keys: entry 1 is not a dictionary"),
        ({"mfa_store": ""}, "mfa_store: is missing"),
    ],
)
def test_what_stops_a_run(fleet, options, told):
    assert told in fleet.run(ok=False, **options)


@pytest.mark.release
def test_options_that_are_not_for_tasks(fleet, tmp_path):
    for task, told in (
        ({"fleetmfa.ssh.totp_key_import": {"seal": "00"}}, "the action makes it"),
        ({"fleetmfa.ssh.totp_key_import": {"rivals": [{"person": "alice"}]}}, "rivals: give what this module"),
    ):
        book = tmp_path / "play.yml"
        store = {"mfa_store": "vault_file", "mfa_store_path": str(tmp_path / "store")}
        given = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, **store}
        book.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "vars": given, "tasks": [task]}]))
        command = ["ansible-playbook", "-i", "web1,", "--vault-password-file", str(fleet.password), str(book)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode and told in done.stdout + done.stderr, done.stdout + done.stderr
