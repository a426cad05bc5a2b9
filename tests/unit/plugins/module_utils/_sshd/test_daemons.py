# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Every sshd that serves this host is found: by its process, or by the socket unit that would start it."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.daemons import Daemon, daemons
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.reload import listening_commands, reload_sshd
from ansible_collections.fleetmfa.ssh.tests.support.sshd_host import DEBIAN, SshdHost, needs_sshd

DEFAULT = "/etc/ssh/sshd_config"
NO_PROCESSES = "/nonexistent"


@pytest.fixture
def second_sshd(tmp_path):
    """A real sshd with its own configuration, on a port of 127.0.0.1."""
    host = SshdHost(tmp_path)
    with contextlib.closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    host.write(f"Port {port}\nListenAddress 127.0.0.1\nPidFile none\n" + DEBIAN)
    os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
    process = subprocess.Popen([str(host.sshd), "-D", "-f", str(host.config), "-o", "LogLevel=QUIET"])
    for _round in range(100):
        if str(process.pid) in listening_commands():
            break
        time.sleep(0.05)
    yield host, process
    process.terminate()
    process.wait()


@needs_sshd
def test_running_daemon_is_found_with_its_options(second_sshd):
    host, process = second_sshd
    found = [daemon for daemon in daemons(DEFAULT) if daemon.shown_by == f"process {process.pid}"]
    assert found == [Daemon(f"process {process.pid}", str(host.config), ("-o", "LogLevel=QUIET"))]


@pytest.mark.skipif(os.path.isdir("/run/systemd/system"), reason="systemd would reload the machine's own sshd")
@needs_sshd
def test_refused_configuration_is_not_reloaded(second_sshd):
    host, process = second_sshd
    host.config.write_text("Nonsense yes\n")
    with pytest.raises(FleetMfaError, match="not reloaded, because it rejects its configuration: .*Nonsense"):
        reload_sshd(str(host.config), str(host.sshd))
    assert process.poll() is None


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups", Daemon("process 7", DEFAULT, ())),
        ("sshd: /usr/sbin/sshd -D -f /x -p2222 [listener] 0 of", Daemon("process 7", "/x", ("-p", "2222"))),
        ("sshd: /usr/sbin/sshd -f/x -o UsePAM=no [listener] 0 of", Daemon("process 7", "/x", ("-o", "UsePAM=no"))),
        ("sshd: alice [priv]", None),
        ("/usr/sbin/nginx [listener]", None),
    ],
)
def test_titles(tmp_path, title, expected):
    process = tmp_path / "7"
    process.mkdir()
    (process / "cmdline").write_bytes(title.encode() + b"\0")
    assert daemons(DEFAULT, proc=str(tmp_path), unit_folders=()) == ([expected] if expected else [])


def test_daemon_in_a_container_is_left_out(tmp_path):
    for name, namespace in (("self", "pid:[1]"), ("7", "pid:[2]")):
        (tmp_path / name / "ns").mkdir(parents=True)
        (tmp_path / name / "ns/pid").symlink_to(namespace)
    (tmp_path / "7/cmdline").write_bytes(b"sshd: /usr/sbin/sshd -D [listener]\0")
    assert daemons(DEFAULT, proc=str(tmp_path), unit_folders=()) == []


def test_socket_unit_that_is_switched_on(tmp_path):
    wants = tmp_path / "etc/sockets.target.wants"
    wants.mkdir(parents=True)
    units = tmp_path / "lib"
    units.mkdir()
    (wants / "ssh-admin.socket").write_text("[Socket]\nListenStream=2222\nAccept=yes\n")
    (wants / "dbus.socket").write_text("[Socket]\n")
    (units / "ssh-admin@.service").write_text(
        "[Service]\nExecStart=-/usr/sbin/sshd -i $SSHD_OPTS -f /etc/ssh/admin_config\n"
    )
    (units / "dbus.service").write_text("[Service]\nExecStart=/usr/bin/dbus-daemon\n")
    folders = (str(tmp_path / "etc"), str(units))
    found = daemons(DEFAULT, proc=NO_PROCESSES, unit_folders=folders)
    assert found == [Daemon("unit ssh-admin.socket", "/etc/ssh/admin_config", ())]
