# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A connection that breaks before the keys are exchanged is made once more, and only once."""

from __future__ import annotations

import socket
import threading

import paramiko
import pytest

from lab.logins import Server, transport_to


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


def serve(listening, *connections):
    """Each of `connections` serves one connection; threads end with the test's process."""
    kept = []

    def run():
        for connection in connections:
            kept.append(connection(listening.accept()[0]))

    threading.Thread(target=run, daemon=True).start()


def broken(connection):
    connection.sendall(b"SSH-2.0-test\r\nNot now, in plain text\r\n")
    connection.recv(1 << 16)
    connection.close()


def working(connection):
    transport = paramiko.Transport(connection)
    transport.add_server_key(paramiko.RSAKey.generate(2048))
    transport.start_server(server=paramiko.ServerInterface())
    return transport


def server_of(listening):
    return Server("here", "127.0.0.1", listening.getsockname()[1], "", "")


def test_a_broken_connection_is_made_again(listener):
    serve(listener, broken, working)
    with transport_to(server_of(listener)) as transport:
        assert transport.get_remote_server_key().get_name() == "ssh-rsa"


def test_but_not_for_ever(listener):
    serve(listener, broken, broken)
    with pytest.raises(paramiko.SSHException), transport_to(server_of(listener)):
        pass
