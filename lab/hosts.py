# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Hosts of an instance: which ones are wanted, which ones are running, starting and removing them."""

from __future__ import annotations

import re
import socket
import subprocess
import time
from dataclasses import dataclass
from typing import Any

from lab import files, images
from lab.console import LabError
from lab.distributions import DISTRIBUTIONS, Distribution
from lab.engine import LIMITS, Engine
from lab.inventory import ADDRESS, MANAGER, LabHost
from lab.machine import last_lines

LABEL = "fleetmfa.lab"
MAX_COUNT = 500
READY_SECONDS = 300
BANNER_SECONDS = 120
# Another program may take a port between the engine's choice and its use.
START_TRIES = 3
REMOVE_TRIES = 5
# The same for docker and podman, cgroup v1 and v2. Without AUDIT_CONTROL, pam_loginuid fails in an engine that was
# started from a login session.
RUN_OPTIONS = (
    "--pull=never",
    "--pids-limit=-1",
    *LIMITS,
    *("--cap-add", "AUDIT_CONTROL", "--cap-add", "SYS_ADMIN", "--security-opt", "apparmor=unconfined"),
    *("--cgroupns=private", "--tmpfs", "/run", "--tmpfs", "/run/lock", "-e", "container=docker"),
    "--stop-timeout=0",
)


@dataclass(frozen=True)
class Wanted:
    name: str
    distribution: Distribution


@dataclass(frozen=True)
class Container:
    """A container of any instance of the lab, running or not."""

    name: str
    root: str
    instance: str
    host: str
    distribution: str
    running: bool
    port: int


def parse(specification: str) -> list[Wanted]:
    """``debian12 debian13:2`` means debian12, debian13-1 and debian13-2."""
    wanted: list[Wanted] = []
    for word in re.split(r"[\s,]+", specification.strip()):
        name, colon, count = word.partition(":")
        if name not in DISTRIBUTIONS:
            raise LabError(f"--hosts: unknown host {word!r}; known are {', '.join(sorted(DISTRIBUTIONS))}")
        if colon and not (count.isdecimal() and 1 <= int(count) <= MAX_COUNT):
            raise LabError(f"--hosts: {word!r} needs a number from 1 to {MAX_COUNT} after the colon")
        names = [f"{name}-{number}" for number in range(1, int(count) + 1)] if colon else [name]
        wanted += [Wanted(host, DISTRIBUTIONS[name]) for host in names]
    names = [host.name for host in wanted]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise LabError(f"--hosts: {', '.join(twice)} named twice; for more than one write {twice[0].split('-')[0]}:2")
    return wanted


def containers(engine: Engine) -> list[Container]:
    """Every container of every lab on this machine."""
    identifiers = engine.check("ps", "-aq", "--filter", f"label={LABEL}.instance").split()
    return sorted((_container(details) for details in engine.inspect("container", identifiers)), key=lambda c: c.name)


def _container(details: dict[str, Any]) -> Container:
    labels = details["Config"]["Labels"]
    ports = details["NetworkSettings"].get("Ports") or {}
    published = ports.get("22/tcp") or [{"HostPort": "0"}]
    return Container(
        name=details["Name"].lstrip("/"),
        root=labels[f"{LABEL}.root"],
        instance=labels[f"{LABEL}.instance"],
        host=labels[f"{LABEL}.host"],
        distribution=labels[f"{LABEL}.distribution"],
        running=details["State"]["Running"],
        port=int(published[0]["HostPort"]),
    )


def start(engine: Engine, container: Container) -> None:
    """Start a new host; port 0 lets the engine choose one."""
    labels = {key: getattr(container, key) for key in ("root", "instance", "host", "distribution")}
    options = [f"--label={LABEL}.{key}={value}" for key, value in labels.items()]
    port = str(container.port or "")
    image = images.tag(DISTRIBUTIONS[container.distribution])
    command = ["--name", container.name, "--hostname", container.host, "-p", f"{ADDRESS}:{port}:22", *options, image]
    for attempt in range(1, START_TRIES + 1):
        result = engine.run("run", "-d", *RUN_OPTIONS, *command, "sh", "-c", files.script("boot.sh"))
        if not result.returncode:
            return
        engine.run("rm", "-f", "-v", container.name)
        taken = "address already in use" in result.stderr or "port is already allocated" in result.stderr
        if not taken or port or attempt == START_TRIES:
            raise LabError(f"{container.host}: the container did not start:\n{last_lines(result.stderr)}")


def require_port(host: str, port: int) -> None:
    """If a fixed port is unavailable, report the host and the port before anything is started."""
    if port > 65535:
        raise LabError(f"{host}: there is no port {port}. Choose a smaller --port-base.")
    with socket.socket() as probe:
        # Like the engines: connections of an earlier host that are still closing do not matter.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ADDRESS, port))
        except OSError as error:
            raise LabError(
                f"{host}: port {port} on {ADDRESS} is taken ({error.strerror}). "
                "Choose another --port-base, or omit it to use free ports."
            ) from error


def prepare(engine: Engine, container: Container, public_key: str, users: list[str]) -> LabHost:
    """Wait until the host accepts logins, create its accounts, read its host key."""
    said = _prepared(engine, container, public_key, users)
    if not _answers(container.port):
        # On a busy machine an engine may forward the port to nowhere; it makes its rules anew with a restart.
        engine.run("restart", container.name)
        said = _prepared(engine, container, public_key, users)
        if not _answers(container.port):
            raise _not_ready(engine, container, f"no SSH banner on {ADDRESS} port {container.port}")
    kind, key = said.split()[:2]
    return LabHost(container.host, container.distribution, container.name, container.port, f"{kind} {key}")


def _prepared(engine: Engine, container: Container, public_key: str, users: list[str]) -> str:
    """What the script has said: the host key."""
    arguments = ["exec", "-i", container.name, "sh", "-s", "--", public_key, MANAGER, *users]
    try:
        result = engine.run(*arguments, stdin=files.script("prepare.sh"), timeout=READY_SECONDS)
    except subprocess.TimeoutExpired:
        raise _not_ready(engine, container, f"the boot has not finished after {READY_SECONDS} s") from None
    if result.returncode:
        raise _not_ready(engine, container, last_lines(result.stderr))
    return result.stdout


def _not_ready(engine: Engine, container: Container, problem: str) -> LabError:
    logs = engine.run("logs", container.name)
    return LabError(f"{container.host} is not ready: {problem}\n{last_lines(logs.stdout + logs.stderr)}")


def _answers(port: int) -> bool:
    deadline = time.monotonic() + BANNER_SECONDS
    while time.monotonic() < deadline:
        try:
            with socket.create_connection((ADDRESS, port), timeout=2) as connection:
                if connection.recv(8).startswith(b"SSH-"):
                    return True
        except OSError:
            pass  # not yet
        time.sleep(0.05)
    return False


def remove(engine: Engine, names: list[str]) -> None:
    """Repeated, since on a busy machine processes may die later than the engine waits for them."""
    for _try in range(REMOVE_TRIES - 1):
        if not names or engine.run("rm", "-f", "-v", *names).returncode == 0:
            return
        there = engine.check("ps", "-a", "--format", "{{.Names}}").split()
        names = [name for name in names if name in there]
    if names:
        engine.check("rm", "-f", "-v", *names)
