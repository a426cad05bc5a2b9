# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The whole story runs once; the tests examine what it left behind."""

from __future__ import annotations

import base64
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator

import pytest
from evidence import ContainerHost, Controller, HostFile, Run
from markers import Markers
from story import Story

from lab.logins import servers

INVENTORY = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "inventory" / "lab.yml"
LEAK = Path(__file__).parent / "leak_on_purpose.yml"


@dataclass(repr=False)  # pytest would print all of it
class Told:
    markers: Markers
    on_purpose: Markers  # what a playbook lets out, so that the search has something to find
    runs: dict[str, Run]
    controller: dict[str, bytes]
    sheets: Path
    journal: bytes
    host_files: dict[str, HostFile]
    others: set[str]
    other_hosts: dict[str, bytes]  # their journals and files
    after_removal: dict[str, HostFile]

    def found(self, markers: Markers, places: dict[str, bytes]) -> dict[str, set[str]]:
        """Which markers were found where."""
        found = {place: markers.found_in(content) for place, content in places.items()}
        return {place: names for place, names in found.items() if names}

    @property
    def on_host(self) -> dict[str, bytes]:
        return {path: file.content for path, file in self.host_files.items()}


@pytest.fixture(scope="session")
def told():
    with tempfile.TemporaryDirectory(prefix="fleetmfa-leak-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        hosts = {server.name: ContainerHost(INVENTORY, server) for server in servers(INVENTORY)}
        host = hosts.pop("debian12")
        controller = Controller(folder, INVENTORY, host)
        markers, on_purpose = Markers(), Markers()
        leak_on_purpose(controller, on_purpose)
        Story(controller, markers).tell()
        host_files = host.changed_files()
        controller.run("remove", "fleetmfa.ssh.remove", "-e", "target=debian12")
        yield Told(
            markers,
            on_purpose,
            controller.runs,
            controller.files(),
            controller.sheets,
            host.journal(),
            host_files,
            set(hosts),
            {f"{name} {place}": data for name, other in hosts.items() for place, data in evidence_of(other)},
            host.changed_files(),
        )


def evidence_of(host: ContainerHost) -> Iterator[tuple[str, bytes]]:
    yield "journal", host.journal()
    yield from ((path, file.content) for path, file in host.changed_files().items())


def leak_on_purpose(controller: Controller, markers: Markers) -> None:
    secrets = {place: markers.secret(place) for place in ("text", "base64", "hex", "argument", "file", "fact")}
    secrets["hex"] = base64.b32decode(secrets["hex"]).hex()
    numbers = {"code": markers.code("printed"), "token": markers.token("printed")}
    variables = f"@{controller.write('on_purpose.json', {**secrets, **numbers})}"
    on_command_line = f"on_command_line={markers.secret('on the command line')}"
    controller.run("leak-on-purpose", LEAK, "-e", variables, "-e", on_command_line)
