# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
from __future__ import annotations

import shlex
from pathlib import Path

from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.vars.manager import VariableManager

from lab import inventory

HOSTS = [
    inventory.LabHost("debian12", "debian12", "fleetmfa-x-debian12", 4022, "ssh-ed25519 AAAA"),
    inventory.LabHost("debian13-1", "debian13", "fleetmfa-x-debian13-1", 4023, "ssh-ed25519 BBBB"),
]
ENGINE = ("env", "CONTAINERS_CONF=/src/my lab/containers.conf", "podman")


def variables(path):
    loader = DataLoader()
    manager = InventoryManager(loader=loader, sources=[str(path)])
    everything = VariableManager(loader=loader, inventory=manager)
    return {host.name: everything.get_vars(host=host) for host in manager.get_hosts()}


def test_ansible_reads_what_the_lab_writes(tmp_path):
    path = tmp_path / "inventory.yml"
    path.write_text(
        inventory.render(HOSTS, ENGINE, Path("/src/my lab/id"), Path("/src/my lab/known")), encoding="utf-8"
    )
    found = variables(path)
    assert list(found) == ["debian12", "debian13-1"]
    host = found["debian13-1"]
    assert (host["ansible_host"], host["ansible_port"], host["ansible_user"]) == ("127.0.0.1", 4023, "ansible")
    assert host["ansible_python_interpreter"] == "/usr/bin/python3"
    assert host["ansible_ssh_private_key_file"] == "/src/my lab/id"
    assert (host["lab_container"], host["lab_distribution"]) == ("fleetmfa-x-debian13-1", "debian13")
    assert host["lab_engine"] == list(ENGINE)
    assert host["mfa_exempt_users"] == ["ansible"]


def test_host_keys_are_checked_against_the_labs_own_file(tmp_path):
    path = tmp_path / "inventory.yml"
    path.write_text(inventory.render(HOSTS, ENGINE, Path("/k"), Path("/src/my lab/known")), encoding="utf-8")
    arguments = shlex.split(variables(path)["debian12"]["ansible_ssh_common_args"])
    assert "StrictHostKeyChecking=yes" in arguments
    assert 'UserKnownHostsFile="/src/my lab/known"' in arguments


def test_known_hosts_name_address_and_port():
    assert inventory.known_hosts(HOSTS) == "[127.0.0.1]:4022 ssh-ed25519 AAAA\n[127.0.0.1]:4023 ssh-ed25519 BBBB\n"
