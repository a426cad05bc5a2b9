# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Playbook sync as Ansible runs it, on two hosts that are this machine: what is shown, and what stops a run."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from ansible.parsing.vault import VaultSecret

from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.person import Person
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.vault_text import VaultText
from ansible_collections.fleetmfa.ssh.tests.support.local_fleet import PASSWORD, ROOT
from ansible_collections.fleetmfa.ssh.tests.support.people import secret


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


@pytest.mark.release
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


@pytest.mark.release
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


@pytest.mark.release
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


@pytest.mark.release
def test_options_that_only_the_action_gives(hosts, tmp_path):
    for task, told in (
        ({"fleetmfa.ssh.totp_key_collect": {"seal": "00"}}, "the action makes it"),
        ({"fleetmfa.ssh.totp_key_distribute": {"handout": "", "_stored": {}}}, "_stored is no option"),
        ({"fleetmfa.ssh.totp_key_distribute": {"handout": secret("one")}}, "handout: was not made in this run"),
        ({"fleetmfa.ssh.totp_key_merge": {"registered": "nothing"}}, "registered: no host has a result"),
        ({"fleetmfa.ssh.totp_key_merge": {"registered": "mine"}}, "registered: was not made in this run"),
        ({"fleetmfa.ssh.totp_key_merge": {"store": "/srv/store"}}, "the options are registered"),
    ):
        book = tmp_path / "play.yml"
        variables = {**hosts.variables, "mine": {"sealed": "00:AAAA"}}
        book.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": [task]}]))
        command = [
            "ansible-playbook",
            "-i",
            "web1,",
            "-e",
            json.dumps(variables),
            "--vault-password-file",
            str(hosts.password),
            str(book),
        ]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        output = done.stdout + done.stderr
        assert done.returncode and told in output and secret("one") not in output, output
