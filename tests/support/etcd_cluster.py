# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A real etcd cluster of three members on loopback, which accepts only clients with a certificate."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import ssl
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Callable

from ansible_collections.fleetmfa.ssh.tests.support.certificates import Authority

# A machine under load must not take a member for dead.
TIMES = ["--heartbeat-interval", "250", "--election-timeout", "2500"]
GENEROUS = 120  # seconds until a state must have been reached


class Member:
    """One etcd process, and how to ask it."""

    def __init__(self, cluster: EtcdCluster, name: str):
        self._cluster, self.name = cluster, name
        self.port, self.peer_port = _free_port(), _free_port()
        self.endpoint = f"https://127.0.0.1:{self.port}"
        self._process: subprocess.Popen | None = None

    def start(self, peers: str) -> None:
        folder, authority = self._cluster.folder, self._cluster.authority
        server = self._cluster.server
        self._process = subprocess.Popen(
            [
                "etcd", "--name", self.name, "--data-dir", str(folder / self.name), *TIMES, "--log-level", "error",
                "--listen-client-urls", self.endpoint, "--advertise-client-urls", self.endpoint,
                "--listen-peer-urls", f"http://127.0.0.1:{self.peer_port}",
                "--initial-advertise-peer-urls", f"http://127.0.0.1:{self.peer_port}",
                "--initial-cluster", peers, "--client-cert-auth", "--trusted-ca-file", str(authority.path),
                "--cert-file", str(server.cert), "--key-file", str(server.key),
            ],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=(folder / f"{self.name}.log").open("ab"),
        )  # fmt: skip

    def post(self, path: str, document: dict) -> dict:
        request = urllib.request.Request(self.endpoint + path, json.dumps(document).encode())  # noqa: S310
        with urllib.request.urlopen(request, timeout=5, context=self._cluster.context) as answer:  # noqa: S310
            return json.load(answer)

    def is_leader(self) -> bool:
        status = self.post("/v3/maintenance/status", {})
        return status["leader"] == status["header"]["member_id"]

    def send(self, number: int) -> None:
        self._process.send_signal(number)

    def kill(self) -> None:
        self.send(signal.SIGKILL)
        self._process.wait()


class EtcdCluster:
    def __init__(self, folder: Path):
        self.folder = folder
        self.authority = Authority(folder / "certificates")
        self.server, self.client = self.authority.issue("server"), self.authority.issue("client")
        self.context = ssl.create_default_context(cafile=str(self.authority.path))
        self.context.load_cert_chain(self.client.cert, self.client.key)
        self.members = [Member(self, f"member{number}") for number in range(3)]
        self._peers = ",".join(f"{one.name}=http://127.0.0.1:{one.peer_port}" for one in self.members)

    @staticmethod
    def is_installed() -> bool:
        return shutil.which("etcd") is not None

    def start(self) -> None:
        for member in self.members:
            self.restart(member)
        self.wait_until_claims_work()

    def restart(self, member: Member) -> None:
        member.start(self._peers)

    def stop(self) -> None:
        for member in self.members:
            member.kill()

    @property
    def endpoints(self) -> list[str]:
        return [member.endpoint for member in self.members]

    def leader(self) -> Member:
        return next(member for member in self.members if member.is_leader())

    def wait_until_claims_work(self, members: list[Member] | None = None) -> None:
        """Until each of these members can commit; all of them if none are given."""
        for member in members or self.members:
            wait_until(lambda member=member: member.post("/v3/lease/grant", {"TTL": 5}).get("ID"))

    def keys(self) -> dict[str, str]:
        """Everything in the store, as base64."""
        everything = {"key": "AA==", "range_end": "AA=="}
        return {one["key"]: one["value"] for one in self.members[0].post("/v3/kv/range", everything).get("kvs", [])}


def wait_until(is_so: Callable[[], object]) -> None:
    deadline = time.monotonic() + GENEROUS
    while time.monotonic() < deadline:
        try:
            if is_so():
                return
        except (OSError, StopIteration):
            pass
        time.sleep(0.05)
    raise TimeoutError("the cluster does not get there")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
