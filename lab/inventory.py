# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The inventory and the known hosts of an instance, as text."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

MANAGER = "ansible"  # the account that Ansible logs in with
ADDRESS = "127.0.0.1"
TIMEOUT = 120  # seconds that a login, or sudo in it, may take on a busy machine; Ansible's own limit is 10


@dataclass(frozen=True)
class LabHost:
    name: str
    distribution: str
    container: str
    port: int
    public_key: str  # type and key, without a comment


def known_hosts(hosts: list[LabHost]) -> str:
    return "".join(f"[{ADDRESS}]:{host.port} {host.public_key}\n" for host in hosts)


def render(hosts: list[LabHost], engine: tuple[str, ...], private_key: Path, known: Path) -> str:
    # Host keys were read through the engine, so they are checked. The inner quotes are for ssh, which accepts a list
    # of files; IdentitiesOnly prevents an agent's keys from using up the host's MaxAuthTries.
    ssh_arguments = f"-o 'UserKnownHostsFile=\"{known}\"' -o StrictHostKeyChecking=yes -o IdentitiesOnly=yes"
    common = {
        "ansible_host": ADDRESS,
        "ansible_user": MANAGER,
        "ansible_ssh_private_key_file": str(private_key),
        "ansible_ssh_common_args": ssh_arguments,
        "ansible_ssh_timeout": TIMEOUT,
        "ansible_python_interpreter": "/usr/bin/python3",
        "lab_engine": list(engine),
        "lab_known_hosts": str(known),
        "mfa_exempt_users": [MANAGER],
    }
    lines = ["# Written by the lab: python3 -m lab up", "all:", "  vars:"]
    lines += [_pair(4, name, value) for name, value in common.items()]
    lines += ["  hosts:"]
    for host in hosts:
        lines += [
            f"    {host.name}:",
            _pair(6, "ansible_port", host.port),
            _pair(6, "lab_container", host.container),
            _pair(6, "lab_distribution", host.distribution),
        ]
    return "".join(f"{line}\n" for line in lines)


def ssh_config(hosts: list[LabHost], private_key: Path, known: Path) -> str:
    """For interactive use: ssh -F FILE alice@debian12."""
    blocks = [
        f"Host {host.name}\n"
        f"    HostName {ADDRESS}\n"
        f"    Port {host.port}\n"
        f'    IdentityFile "{private_key}"\n'
        f'    UserKnownHostsFile "{known}"\n'
        "    IdentitiesOnly yes\n"
        for host in hosts
    ]
    return "# Written by the lab: python3 -m lab up\n" + "".join(blocks)


def _pair(indent: int, name: str, value: object) -> str:
    # Every JSON value is a YAML value.
    return f"{' ' * indent}{name}: {json.dumps(value)}"
