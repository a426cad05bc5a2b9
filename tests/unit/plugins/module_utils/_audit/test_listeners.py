# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Listening sockets of processes that these tests start, and what systemctl prints about socket units."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit.listeners import SocketUnits, is_loopback, listeners

LISTEN = """#!{python}
import socket, sys
sockets = []
for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::1")):
    one = socket.socket(family)
    one.bind((address, 0))
    one.listen()
    sockets.append(one)
print(*(one.getsockname()[1] for one in sockets), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def process(tmp_path):
    """A program named dropbear that listens on all addresses and on the loopback of IPv6."""
    with socket.socket(socket.AF_INET6) as six:
        try:
            six.bind(("::1", 0))
        except OSError:
            pytest.skip("no IPv6 on this machine")
    program = tmp_path / "dropbear"
    program.write_text(LISTEN.format(python=sys.executable))
    program.chmod(0o755)
    with subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        running.ports = running.stdout.readline().split()
        yield running
        running.stdin.close()


def test_process_that_listens(process):
    (found,) = [one for one in listeners() if one.process == process.pid]
    assert found.sockets == tuple(sorted((f"0.0.0.0:{process.ports[0]}", f"[::1]:{process.ports[1]}")))
    assert not found.is_local and os.path.basename(found.command[1]) == "dropbear"


def test_process_that_has_ended(process):
    process.stdin.close()
    process.wait()
    assert process.pid not in {one.process for one in listeners()}


@pytest.mark.parametrize(
    ("place", "local"),
    [
        ("127.0.0.1:22", True),
        ("[::1]:22", True),
        ("[::ffff:127.0.0.1]:22", True),
        ("0.0.0.0:22", False),
        ("[::]:22", False),
        ("*:22", False),
    ],
)
def test_loopback(place, local):
    assert is_loopback(place) is local


UNIT = "Id=telnet.socket\nActiveState={state}\nListen={listen}\nListen=/run/x (Stream)\nTriggers=telnet@1.service\n"


@pytest.fixture
def units(tmp_path):
    (tmp_path / "telnet@.service").write_text("[Service]\nExecStart=-/usr/sbin/in.telnetd -h\n")
    return SocketUnits((str(tmp_path),))


def test_socket_unit(units):
    (found,) = units.of_block(UNIT.format(state="active", listen="[::]:23 (Stream)"))
    assert (found.name, found.where, found.process) == ("in.telnetd", ["telnet.socket", "[::]:23"], None)


@pytest.mark.parametrize(
    ("state", "listen"),
    [("inactive", "[::]:23 (Stream)"), ("active", "/run/y (Stream)"), ("active", "[::]:23 (Datagram)")],
)
def test_socket_unit_that_the_network_does_not_reach(units, state, listen):
    assert list(units.of_block(UNIT.format(state=state, listen=listen))) == []
