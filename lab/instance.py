# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""One instance of the lab: its files, its containers, and the actions on them."""

from __future__ import annotations

import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lab import hosts, inventory, machine
from lab.console import LabError
from lab.engine import Engine
from lab.files import CHECKOUT, LAB, ROOT, locked, write

DEFAULT = "default"
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
PARALLEL_STARTS = 8


@dataclass(frozen=True)
class Instance:
    name: str

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise LabError(f"--instance: {self.name!r} is not a valid name (lower-case letters, digits and hyphens)")

    @property
    def folder(self) -> Path:
        return LAB / self.name

    @property
    def private_key(self) -> Path:
        return self.folder / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        return self.folder / "known_hosts"

    @property
    def inventory(self) -> Path:
        """The default instance's is at the place where people look for it."""
        return (LAB if self.name == DEFAULT else self.folder) / "inventory.yml"

    def containers(self, engine: Engine) -> list[hosts.Container]:
        """Those of this checkout: another checkout may have an instance of the same name."""
        return [one for one in hosts.containers(engine) if (one.root, one.instance) == (str(ROOT), self.name)]

    def container(self, engine: Engine, host: str) -> hosts.Container:
        running = {one.host: one for one in self.containers(engine) if one.running}
        if host not in running:
            raise LabError(f"{self.name} has no running host {host!r}, only: {', '.join(running) or 'none'}")
        return running[host]

    def up(self, engine: Engine, wanted: list[hosts.Wanted], users: list[str], target: Path, port_base: int) -> int:
        """Start missing hosts, prepare all and write the inventory. Returns the number of hosts in it."""
        with locked(f"instance-{self.name}"):
            self._make_key()
            running = self._start_missing(engine, wanted, port_base)
            public_key = self.private_key.with_suffix(".pub").read_text(encoding="ascii").strip()
            with ThreadPoolExecutor(PARALLEL_STARTS) as pool:
                ready = list(pool.map(lambda host: hosts.prepare(engine, host, public_key, users), running))
            write(self.known_hosts, inventory.known_hosts(ready))
            write(target, inventory.render(ready, engine.argv, self.private_key, self.known_hosts))
            write(self.folder / "ssh_config", inventory.ssh_config(ready, self.private_key, self.known_hosts))
        return len(ready)

    def _start_missing(self, engine: Engine, wanted: list[hosts.Wanted], port_base: int) -> list[hosts.Container]:
        """All running hosts of the instance, including those not requested this time, so that the inventory is
        complete."""
        existing = self.containers(engine)
        hosts.remove(engine, [container.name for container in existing if not container.running])
        running = [container for container in existing if container.running]
        names = {container.host for container in running}
        missing = [host for host in self._planned(wanted, port_base) if host.host not in names]
        if not missing:
            return running
        for host in missing:
            if host.port:
                hosts.require_port(host.host, host.port)
        machine.require_inotify_instances(len(missing) + sum(host.running for host in hosts.containers(engine)))
        with ThreadPoolExecutor(PARALLEL_STARTS) as pool:
            list(pool.map(lambda host: hosts.start(engine, host), missing))
        return self.containers(engine)

    def _planned(self, wanted: list[hosts.Wanted], port_base: int) -> list[hosts.Container]:
        return [
            hosts.Container(
                name=f"fleetmfa-{CHECKOUT}-{self.name}-{host.name}",
                root=str(ROOT),
                instance=self.name,
                host=host.name,
                distribution=host.distribution.name,
                running=False,
                port=port_base and port_base + position,
            )
            for position, host in enumerate(wanted)
        ]

    def _make_key(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.private_key.exists():
            return
        if shutil.which("ssh-keygen") is None:
            raise LabError("ssh-keygen is not installed: the lab needs the OpenSSH client")
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"fleetmfa-lab-{self.name}", "-f"]
        subprocess.run([*command, str(self.private_key)], check=True)

    def down(self, engine: Engine) -> int:
        """Remove everything that belongs to the instance. Returns the number of hosts it had."""
        with locked(f"instance-{self.name}"):
            names = [container.name for container in self.containers(engine)]
            hosts.remove(engine, names)
            if self.folder.exists():
                shutil.rmtree(self.folder)
            self.inventory.unlink(missing_ok=True)
        with suppress(OSError):  # other instances use this folder
            LAB.rmdir()
        return len(names)
