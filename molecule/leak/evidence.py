# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Runs playbooks with every kind of output enabled, and keeps everything that anybody could read afterwards."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator, NamedTuple

import yaml

from lab.logins import Server

HERE = Path(__file__).parent
# The journal is read by its own program.
_CHANGED = (
    r"find / \( -path /proc -o -path /sys -o -name '*.journal' \) -prune -o -type f -cnewer /root/leak-begin -print0"
)
_FOLDERS = ("/tmp", "/var/tmp", "/home", "/dev/shm", "/run", "/srv", "/var/lib/fleetmfa")  # noqa: S108


class HostFile(NamedTuple):
    content: bytes
    mode: int
    owner: str


class ContainerHost:
    """The host of the scenario, accessed through the container engine, so that nothing depends on a login."""

    def __init__(self, inventory: Path, server: Server):
        values = yaml.safe_load(inventory.read_text())["all"]
        self.server, self.variables = server, values["hosts"][server.name]
        self._engine, self._container = values["vars"]["lab_engine"], self.variables["lab_container"]

    def command(self, *command: str, user: str = "root") -> list[str]:
        return [*self._engine, "exec", "-i", "--user", user, self._container, *command]

    def output(self, script: str) -> bytes:
        return subprocess.run(self.command("sh", "-c", script), capture_output=True, check=True).stdout

    def journal(self) -> bytes:
        return self.output("journalctl --no-pager --output export")

    def changed_files(self) -> dict[str, HostFile]:
        """Every file that was written, or whose owner or mode was changed, since the test began."""
        archive = self.output(f"{_CHANGED} | tar --null --files-from - --absolute-names --create --ignore-failed-read")
        found = {}
        with tarfile.open(fileobj=io.BytesIO(archive)) as members:
            for member in members:
                content = members.extractfile(member)
                if content:
                    found[member.name] = HostFile(content.read(), member.mode, member.uname)
        return found


class Run(NamedTuple):
    code: int
    output: str


class Controller:
    """Where playbooks are run. Variables with secrets are in `inputs`; everything else is evidence."""

    def __init__(self, folder: Path, inventory: Path, host: ContainerHost):
        self.inputs, self.evidence = folder / "inputs", folder / "evidence"
        self.temporary = self.evidence / "tmp"
        self.recorder = self.evidence / "recorder"
        self.sheets = self.inputs / "sheets"
        self.inputs.mkdir(mode=0o700)
        self.temporary.mkdir(mode=0o777, parents=True)
        self.recorder.touch()
        (self.inputs / "sitecustomize.py").write_text((HERE / "recorder.py").read_text())
        self.host, self._inventories = host, [inventory]
        self.runs: dict[str, Run] = {}

    def write(self, name: str, content: Any) -> Path:
        path = self.inputs / name
        path.write_text(json.dumps(content))
        return path

    def add_inventory(self, path: Path) -> None:
        self._inventories.append(path)

    def run(self, name: str, playbook: str | Path, *arguments: str, **settings: str) -> None:
        inventories = [word for inventory in self._inventories for word in ("-i", str(inventory))]
        command = ["ansible-playbook", *inventories, "-vvv", "--diff", *arguments, str(playbook)]
        with self.watched(name):
            done = subprocess.run(
                command,
                env=self._environment(name, settings),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd=self.evidence,
                check=False,
            )
        (self.evidence / f"{name}.out").write_bytes(done.stdout)
        self.runs[name] = Run(done.returncode, done.stdout.decode("utf-8", "replace"))

    def _environment(self, name: str, settings: dict[str, str]) -> dict[str, str]:
        ansible = {
            "HOME": self.evidence / "ansible",
            "LOG_PATH": self.evidence / f"{name}.log",
            "CALLBACKS_ENABLED": "ansible.builtin.junit,ansible.builtin.tree",
            "CALLBACK_TREE_DIR": self.evidence / f"{name}.tree",
            "CACHE_PLUGIN": "ansible.builtin.jsonfile",
            "CACHE_PLUGIN_CONNECTION": self.evidence / "facts",
            "RETRY_FILES_ENABLED": "true",
            "RETRY_FILES_SAVE_PATH": self.evidence / f"{name}.retry",
            "DISPLAY_ARGS_TO_STDOUT": "true",
            "DISPLAY_TRACEBACK": "always",
            **settings,
        }
        return {
            **os.environ,
            **{f"ANSIBLE_{option}": str(value) for option, value in ansible.items()},
            "JUNIT_OUTPUT_DIR": str(self.evidence / f"{name}.junit"),
            "TMPDIR": str(self.temporary),
            "LEAK_RECORDER": str(self.recorder),
            "PYTHONPATH": f"{self.inputs}:{os.environ.get('PYTHONPATH', '')}",
        }

    @contextmanager
    def watched(self, name: str) -> Iterator[None]:
        """What unprivileged accounts see in the meantime, on the host and on the controller."""
        source = (HERE / "watch.py").read_text()
        python = shutil.which("python3", path="/usr/bin:/usr/local/bin") or sys.executable
        nobody = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}
        watches = {
            "host": (self.host.command("python3", "-Ic", source, *_FOLDERS, user="nobody"), {}),
            "controller": ([python, "-Ic", source, str(self.temporary), str(self.evidence / "ansible")], nobody),
        }
        with tempfile.TemporaryDirectory() as folder:
            running = {}
            for where, (command, account) in watches.items():
                with Path(folder, where).open("wb") as output:
                    running[where] = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, **account)
            try:
                yield
            finally:
                for where, watch in running.items():
                    watch.communicate()
                    shutil.copy(Path(folder, where), self.evidence / f"{name}.seen-on-{where}")

    def files(self) -> dict[str, bytes]:
        found = (path for path in sorted(self.evidence.rglob("*")) if path.is_file())
        return {str(path.relative_to(self.evidence)): path.read_bytes() for path in found}
