# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A fleet on which roll-outs are tried, all hosts at the same time, accessed through the container engine."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Callable

import pytest

from lab.logins import Server, login, servers
from lab.root import Root

SCENARIO = Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"])
ATTRIBUTES = (SCENARIO.parent / "shared" / "attributes.py").read_text()
INVENTORY = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "inventory" / "lab.yml"


@dataclass
class RollbackHost:
    server: Server
    root: Root

    def run(self, script: str) -> str:
        return self.root.output(script)

    def restart(self) -> None:
        """Like a reset button: nothing is shut down properly."""
        engine, container = self.root.engine, self.root.container
        subprocess.run([*engine, "kill", container], capture_output=True, check=True)
        subprocess.run([*engine, "start", container], capture_output=True, check=True)
        ports = subprocess.run([*engine, "port", container, "22/tcp"], capture_output=True, text=True, check=True)
        self.server = replace(self.server, port=int(ports.stdout.split()[0].rpartition(":")[2]))

    @property
    def differences(self) -> str:
        """What differs from the state before the first roll-out: contents, extra or missing files, and all
        attributes."""
        script = "".join(
            f"cd {above}; python3 - list pam.d ssh > /tmp/{when} <<'END'\n{ATTRIBUTES}\nEND\n"
            for above, when in (("/root", "before"), ("/etc", "now"))
        )
        script += "diff /tmp/before /tmp/now || true\n"
        script += "for one in ssh pam.d; do diff -r /root/$one /etc/$one || true; done\n"
        return self.run(script + "diff -r /root/system /etc/systemd/system || true")

    @property
    def lets_in(self) -> bool:
        """Whether Ansible's account gets in with its key and becomes root, as the next run needs."""
        attempt = login(self.server, "ansible", command="sudo -n id -un")
        return attempt.allowed and not attempt.asked and attempt.output == "root"

    def wait_until_as_before(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self.differences and time.monotonic() < deadline:
            time.sleep(1)
        self.assert_as_before()

    def assert_as_before(self) -> None:
        assert self.differences == ""
        assert self.lets_in


class Fleet:
    def __init__(self):
        self.hosts = [RollbackHost(server, Root(INVENTORY, server.name)) for server in servers(INVENTORY)]

    def each(self, do: Callable[[RollbackHost], object]) -> list:
        """The result of `do` for each host, run for all of them at the same time."""
        with ThreadPoolExecutor(len(self.hosts)) as pool:
            return list(pool.map(do, self.hosts))

    def run(self, script: str) -> list[str]:
        return self.each(lambda host: host.run(script))

    def assert_as_before(self) -> None:
        self.each(RollbackHost.assert_as_before)

    def wait_until_as_before(self, seconds: float) -> None:
        self.each(lambda host: host.wait_until_as_before(seconds))

    def roll_out(self, folder: Path, *arguments: str, playbook: str = "rollout.yml", **variables) -> list[dict]:
        """The result for each host; empty if the controller was killed before it could report."""
        with tempfile.TemporaryDirectory(dir=folder) as results:
            variables = json.dumps({**variables, "results": results})
            command = ["ansible-playbook", "-i", str(INVENTORY), "-e", variables, *arguments, playbook]
            done = subprocess.run(command, capture_output=True, text=True, cwd=SCENARIO, timeout=900, check=False)
            self.output = done.stdout + done.stderr
            return [json.loads(result.read_text()) for result in sorted(Path(results).glob("*.json"))]


@pytest.fixture(scope="module")
def fleet():
    return Fleet()


@pytest.fixture
def roll_out(fleet, tmp_path):
    """roll_out(further_pam=..., ...) -> the results, one per host; each host is in its original state when the test
    begins."""
    fleet.assert_as_before()

    def roll_out(*arguments, **variables):
        results = fleet.roll_out(tmp_path, *arguments, **variables)
        assert len(results) == len(fleet.hosts), fleet.output
        return results

    return roll_out


@pytest.fixture
def roll_out_and_die(fleet, tmp_path):
    """The controller is killed when everything is applied and nothing confirmed."""

    def roll_out_and_die(**variables):
        variables["ansible_ssh_executable"] = str(SCENARIO / "dying_ssh")
        # Each host has a controller of its own to kill.
        told = fleet.each(lambda host: fleet.roll_out(tmp_path, "--limit", host.server.name, **variables))
        assert not any(told), fleet.output

    return roll_out_and_die
