# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the fleetmfa.ssh authors
"""Letting the running sshd read its configuration again. Private to the collection.

Only through the unit (or init script), and only after `sshd -t`: an sshd that gets a bare HUP on a configuration it refuses
exits. This file also runs without Ansible, inside the roll-back program.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.commands import run
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.files import (
    FileChange,
    apply_all,
    not_applied,
    revert_all,
)

_NAMES = ("ssh", "sshd")


def reload_sshd(config: str | None = None, sshd: str | None = None) -> bool:
    """Reload the running sshd; False if none runs that keeps a configuration in memory, so that there is nothing to do.

    A socket-activated sshd without a running service reads the configuration when the next connection starts it.
    """
    _refuse_invalid(config, sshd or "sshd")
    if Path("/run/systemd/system").is_dir():
        units = [f"{name}.service" for name in _NAMES if run("systemctl", "is-active", f"{name}.service").code == 0]
        command = ["systemctl", "reload", *units[:1]] if units else []
    else:
        scripts = [name for name in _NAMES if Path(f"/etc/init.d/{name}").is_file()]
        running = listening_commands()
        command = ["service", scripts[0], "reload"] if scripts and running else []
        if running and not scripts:
            raise FleetMfaError("sshd runs, but neither systemd nor an init script of it is there; reload it by hand")
    if not command:
        return False
    done = run(*command)
    if done.code:
        raise FleetMfaError(f"{' '.join(command)} failed: {done.said}; sshd still serves what it served before")
    return True


def _refuse_invalid(config: str | None, sshd: str) -> None:
    done = run(sshd, "-t", *(["-f", config] if config else []))
    if done.code and "Missing privilege separation directory" not in done.said:
        raise FleetMfaError(f"sshd is not reloaded, because it refuses its configuration: {done.said}")


def listening_commands(proc: str = "/proc") -> dict[str, list[str]]:
    """The command line of each sshd that listens, by process id; those in containers of this host are left out.

    sshd's title is `sshd: /usr/sbin/sshd -D -f FILE [listener] 0 of 10-100 startups`.
    """
    found = {}
    namespace = _namespace(f"{proc}/self")
    for process in Path(proc).glob("[0-9]*"):
        try:
            title = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        command = re.match(r"sshd: (.*?) \[listener\]", title)
        if command and _namespace(str(process)) == namespace:
            found[process.name] = command.group(1).split()
    return found


def _namespace(process: str) -> str:
    try:
        return os.readlink(f"{process}/ns/pid")
    except OSError:
        return ""


def apply_and_reload(changes: list[FileChange], config: str, sshd: str, reload: bool) -> bool:
    """Write the changes and reload; if sshd cannot be reloaded the old files are put back, and the error raised."""
    apply_all(changes)
    try:
        return reload and reload_sshd(config, sshd)
    except FleetMfaError as error:
        raise not_applied(error, revert_all(changes)) from error
