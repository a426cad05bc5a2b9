# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The host's original features still work together with the token."""

from __future__ import annotations

import socket
import subprocess
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from lab.logins import client_options, login, run_client

SECOND_PORT = 2222


@pytest.mark.comes_with("pam_group")
def test_groups_that_pam_gives_at_login(server, keys):
    for answers, user in ((), "carol"), ([keys["alice"].token()], "alice"):
        attempt = login(server, user, answers, command="id -Gn")
        assert attempt.allowed and "games" in attempt.output.split(), (user, attempt)


@pytest.mark.comes_with("pam_time")
def test_hours_that_name_the_service_still_hold(server, keys, gets_in_with_a_token):
    """On every OpenSSH: if a rule names sshd, enforced users stay in the service of that name."""
    attempt = login(server, "late", [keys["late"].token()])
    assert attempt.asked and not attempt.allowed
    assert gets_in_with_a_token("alice")


@pytest.mark.comes_with("pam_access")
def test_user_denied_by_name_stays_denied(server, keys):
    attempt = login(server, "outcast", [keys["outcast"].token()])
    assert attempt.asked and not attempt.allowed
    assert not login(server, "stray").allowed


@pytest.mark.comes_with("several_groups")
def test_groups_with_rules_of_their_own(server, keys, gets_in_by_key):
    """Enforced despite a group's rule; the rule still applies to others; exempt by a group."""
    assert not gets_in_by_key("dave")
    offered = run_client(
        [
            *("ssh", *client_options(server, key=False), "-o", "PreferredAuthentications=none"),
            *(f"carol@{server.address}", "true"),
        ]
    )
    assert "Permission denied (publickey)." in offered.output
    assert gets_in_by_key("robot")


@pytest.mark.comes_with("socket_activated")
def test_sshd_is_still_started_by_its_socket(root, gets_in_with_a_token):
    """Such an sshd exits on a reload. It was restarted, and uses what `site` has written."""
    assert gets_in_with_a_token("alice")
    assert root.run("systemctl is-active ssh.socket ssh.service").stdout.split() == ["active", "active"]
    assert "Address already in use" not in root.run("journalctl -u ssh -o cat").stdout


@pytest.mark.comes_with("two_ports")
def test_second_port_of_the_same_configuration(server, gets_in_by_key, gets_in_with_a_token, tmp_path):
    with _second_port(server, tmp_path / "known_hosts") as second:
        assert not gets_in_by_key("alice", second)
        assert gets_in_with_a_token("alice", second)
        assert gets_in_by_key("bob", second)


@contextmanager
def _second_port(server, known_hosts):
    """The second port, which is not published, through a login of somebody who is not asked."""
    with socket.socket() as probe:
        probe.bind((server.address, 0))
        port = probe.getsockname()[1]
    known_hosts.write_text(Path(server.known_hosts).read_text().replace(f":{server.port} ", f":{port} "))
    tunnel = ["ssh", *client_options(server), "-N", "-o", "ExitOnForwardFailure=yes"]
    tunnel += ["-L", f"{server.address}:{port}:127.0.0.1:{SECOND_PORT}", f"bob@{server.address}"]
    with subprocess.Popen(tunnel) as ssh:
        try:
            _wait_for(server.address, port)
            yield replace(server, port=port, known_hosts=str(known_hosts))
        finally:
            ssh.terminate()


def _wait_for(address, port):
    deadline = time.monotonic() + 120
    while True:
        try:
            with socket.create_connection((address, port), timeout=5):
                return
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.1)
