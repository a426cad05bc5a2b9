# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Guarded hosts of one fleet: the same user with the same key on each, and claims in one etcd cluster."""

from __future__ import annotations

import os
from pathlib import Path

from ansible_collections.fleetmfa.ssh.plugins.module_utils._program import build_program
from ansible_collections.fleetmfa.ssh.tests.support.etcd_cluster import EtcdCluster
from ansible_collections.fleetmfa.ssh.tests.support.guarded_host import GuardedHost, step_with_time_left

PYTHON = "/usr/bin/python3"


class ClaimingHost(GuardedHost):
    """A host whose guard claims in the fleet, and notes what it would log in `log`."""

    def __init__(self, folder: Path, cluster: EtcdCluster, **settings: object):
        folder.mkdir()
        super().__init__(folder, "dash")
        self.note_log()
        program = folder / "totp-claim"
        program.write_bytes(build_program("_claims.program", PYTHON))
        program.chmod(0o755)
        self._cluster = cluster
        self.write_settings(**settings)

    def write_settings(self, **settings: object) -> None:
        values = {
            "endpoints": " ".join(self._cluster.endpoints),
            "ca": self._cluster.authority.path,
            "cert": self._cluster.client.cert,
            "key": self._cluster.client.key,
            "prefix": "/fleetmfa/claims/",
            "timeout": 10,
            "unreachable": "deny",
            **settings,
        }
        text = "".join(f"{name} = {value}\n" for name, value in values.items())
        (self.folder / "claims.conf").write_text(text)


class Fleet:
    """Some hosts; one person who has the same key on all of them."""

    def __init__(self, folder: Path, cluster: EtcdCluster, count: int = 5):
        self.hosts = [ClaimingHost(folder / f"host{number}", cluster) for number in range(count)]
        self.new_key()

    def new_key(self, **values) -> None:
        secret, step = os.urandom(20), step_with_time_left()
        for host in self.hosts:
            host.secret, host.step = secret, step
            host.write_key(**values)

    def write_settings(self, **settings) -> None:
        for host in self.hosts:
            host.write_settings(**settings)

    def at_once(self, answer: str) -> int:
        """How many of the hosts let the same answer in, given at the same moment to all of them."""
        logins = [host.login() for host in self.hosts]
        assert all([login.has_prompt() for login in logins])
        for login in logins:
            login.answer(answer)
        return [login.succeeds() for login in logins].count(True)

    def in_turn(self, answer: str) -> list[bool]:
        return [host.answer(answer) for host in self.hosts]

    @property
    def token(self) -> str:
        return self.hosts[0].token()

    def logged(self) -> str:
        return "".join(host.logged() for host in self.hosts)
