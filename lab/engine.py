# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The container engine: docker or podman, whichever works."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import files, machine
from lab.console import LabError, say

ENGINES = ("docker", "podman")
# runc, not crun: crun refuses hybrid cgroups.
PODMAN_PACKAGES = ["podman", "runc", "netavark", "aardvark-dns", "iptables", "nftables", "catatonit"]
PROBE_SECONDS = 20
# Both, in every "run": without CAP_SYS_RESOURCE an engine cannot raise them to its own defaults.
LIMITS = ("--ulimit", "nofile=4096:4096", "--ulimit", "nproc=4096:4096")


@dataclass(frozen=True)
class Engine:
    name: str
    argv: tuple[str, ...]  # every command starts with these

    def run(
        self, *arguments: str, stdin: str | None = None, timeout: float | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command of the engine and let the caller evaluate its result."""
        return subprocess.run(
            [*self.argv, *arguments], input=stdin or "", capture_output=True, text=True, timeout=timeout, check=False
        )

    def check(self, *arguments: str, stdin: str | None = None) -> str:
        """Run a command of the engine that must succeed. Returns its output."""
        result = self.run(*arguments, stdin=stdin)
        if result.returncode:
            raise LabError(f"{self.name} {arguments[0]} failed:\n{machine.last_lines(result.stderr)}")
        return result.stdout

    def inspect(self, kind: str, names: list[str]) -> list[dict[str, Any]]:
        """Details of the objects that exist; those that disappear in the meantime are omitted."""
        if not names:
            return []
        result = self.run("inspect", "--type", kind, *names)
        found: list[dict[str, Any]] = json.loads(result.stdout or "[]")
        return found

    def has_image(self, tag: str) -> bool:
        return self.run("image", "inspect", tag).returncode == 0

    def images(self, prefix: str) -> list[str]:
        tags = self.check("images", "--format", "{{.Repository}}:{{.Tag}}").split()
        return [tag for tag in tags if tag.startswith(prefix)]

    def storage(self) -> Path:
        field = "{{.DockerRootDir}}" if self.name == "docker" else "{{.Store.GraphRoot}}"
        return Path(self.check("info", "--format", field).strip())


def find() -> Engine | str:
    """The first engine that works, or why none does."""
    reasons = []
    for name in ENGINES:
        if shutil.which(name) is None:
            reasons.append(f"{name}: not installed")
            continue
        engine = _engine(name)
        reason = _why_not(engine)
        if not reason:
            return engine
        reasons.append(f"{name}: {reason}")
    return "; ".join(reasons)


def require() -> Engine:
    """An engine that works, for verbs about existing hosts: without an engine there are none, so nothing is
    installed."""
    found = find()
    if isinstance(found, str):
        raise LabError(f"no container engine works ({found})")
    return found


def ensure() -> Engine:
    """An engine that works, installed with apt if there is none and apt can be used."""
    found = find()
    if isinstance(found, Engine):
        return found
    if not machine.is_root():
        raise LabError(
            f"no container engine works ({found}), and only root can install one. "
            "Start docker, install podman, or run as root on Debian."
        )
    if not machine.is_debian():
        raise LabError(f"no container engine works ({found}). Start docker or install podman.")
    say(f"no container engine works ({found})")
    with files.locked("build"):
        machine.install(PODMAN_PACKAGES)
    return require()


def _engine(name: str) -> Engine:
    version = subprocess.run([name, "--version"], capture_output=True, text=True, check=False).stdout
    # Some distributions ship a "docker" that is podman.
    kind = "podman" if "podman" in version.lower() else name
    configuration = machine.podman_configuration() if kind == "podman" else ""
    if not configuration:
        return Engine(kind, (name,))
    path = files.CACHE / "containers.conf"
    if not path.exists() or path.read_text(encoding="utf-8") != configuration:
        files.write(path, configuration)
    return Engine(kind, ("env", f"CONTAINERS_CONF={path}", name))


def _why_not(engine: Engine) -> str:
    """Empty if the engine answers; a client without its daemon does not."""
    try:
        result = engine.run("info", timeout=PROBE_SECONDS)
    except subprocess.TimeoutExpired:
        return f"no answer in {PROBE_SECONDS} s"
    return (machine.last_lines(result.stderr, 1) or f"exit {result.returncode}") if result.returncode else ""
