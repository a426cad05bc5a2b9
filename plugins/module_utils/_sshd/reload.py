# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Makes the running sshd read its configuration again. Private to the collection.

Only through its unit (or init script), and only after `sshd -t`: an sshd that gets a plain HUP with a configuration
that it rejects exits. A restart ends no sessions, since they are separate processes. This file also runs without
Ansible, inside the roll-back program.
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
NO_HOST_KEYS = "no hostkeys available"


def reload_sshd(config: str | None = None, sshd: str | None = None) -> bool:
    """Make the configuration take effect for new logins. Returns False if no sshd keeps one in memory, so nothing is
    done.

    How sshd may be run: as a normal service or by an init script (reloaded); as one service started by a socket, with
    Accept=no (restarted); once per connection, with Accept=yes, when it reads the configuration each time (nothing to
    do); not at all, in an image under construction (nothing to do).
    """
    command = _command()
    _refuse_invalid(config, sshd or "sshd", runs=command is not None)
    if command is None:
        return False
    done = run(*command)
    if done.code:
        raise FleetMfaError(
            f"{' '.join(command)} failed: {done.said}; check whether sshd is running, and with what configuration"
        )
    return True


def _command() -> list[str] | None:
    """The command that makes the running sshd read its configuration again."""
    if Path("/run/systemd/system").is_dir():
        units = [f"{name}.service" for name in _NAMES if run("systemctl", "is-active", f"{name}.service").code == 0]
        return ["systemctl", _verb(units[0]), units[0]] if units else None
    running = listening_commands()
    scripts = [name for name in _NAMES if Path(f"/etc/init.d/{name}").is_file()]
    if running and not scripts:
        raise FleetMfaError("sshd is running, but has neither a systemd unit nor an init script; reload it by hand")
    return ["service", scripts[0], "reload"] if running else None


def _verb(unit: str) -> str:
    """An sshd that has its listening socket from systemd exits on a reload: it re-executes itself without the
    socket."""
    shown = run("systemctl", "show", "--property=TriggeredBy,KillMode", unit).output.splitlines()
    properties = dict(line.split("=", 1) for line in shown if "=" in line)
    sockets = [name for name in properties.get("TriggeredBy", "").split() if name.endswith(".socket")]
    if not any(run("systemctl", "is-active", socket).code == 0 for socket in sockets):
        return "reload"
    if properties.get("KillMode") != "process":
        raise FleetMfaError(
            f"{unit} is started by {sockets[0]} and must be restarted, but its KillMode is not `process`: that would "
            "end all open sessions, including this one; set KillMode=process (systemctl edit) and run again"
        )
    return "restart"


def _refuse_invalid(config: str | None, sshd: str, runs: bool) -> None:
    """An image under construction has no host keys yet: sshd would not start without them, and none is running."""
    done = run(sshd, "-t", *(["-f", config] if config else []))
    excused = ["Missing privilege separation directory", *([] if runs else [NO_HOST_KEYS])]
    if done.code and not any(words in done.said for words in excused):
        raise FleetMfaError(f"sshd was not reloaded, because it rejects its configuration: {done.said}")


def listening_commands(proc: str = "/proc") -> dict[str, list[str]]:
    """The command line of each listening sshd, by process id, except for those in containers on this host.

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
    """Write the changes and reload. If sshd cannot be reloaded, the old files are restored and the error is raised."""
    apply_all(changes)
    try:
        return reload and reload_sshd(config, sshd)
    except FleetMfaError as error:
        raise not_applied(error, revert_all(changes)) from error
