# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""During the period, logins that are not interactive are unchanged: no output, no question, no delay for an answer."""

from __future__ import annotations

import pytest

from lab.logins import client_options, login, run_client, through_forwarding


@pytest.fixture
def batch(server):
    return [*client_options(server), "-o", "BatchMode=yes"]


@pytest.fixture
def target(server):
    return f"files@{server.address}"


@pytest.mark.parametrize("tty", [[], ["-tt"]], ids=["no terminal", "terminal"])
def test_command(batch, target, tty):
    attempt = run_client(["ssh", "-q", *batch, *tty, target, "id -un"])
    assert attempt.allowed and attempt.output == "files"


def test_login_shell_in_a_command(batch, target):
    assert run_client(["ssh", "-q", *batch, "-tt", target, "bash -lc 'id -un'"]).output == "files"


def test_input_to_a_shell_without_terminal(batch, target):
    assert "files" in run_client(["ssh", "-q", "-T", *batch, target], stdin="id -un\n").output


def test_scp_sftp_and_rsync(batch, target, tmp_path):
    commands = tmp_path / "commands"
    commands.write_text(f"get /etc/hostname {tmp_path}/sftp\n")
    shell = " ".join(["ssh", *batch])
    for argv in (
        ["scp", *batch, f"{target}:/etc/hostname", str(tmp_path / "scp")],
        ["scp", "-O", *batch, f"{target}:/etc/hostname", str(tmp_path / "scp_old")],
        ["sftp", *batch, "-b", str(commands), target],
        ["rsync", "-e", shell, f"{target}:/etc/hostname", str(tmp_path / "rsync")],
    ):
        attempt = run_client(argv)
        assert attempt.allowed and "Enroll" not in attempt.output, attempt.output
    assert len({path.read_text() for path in tmp_path.iterdir() if path.name != "commands"}) == 1


def test_git(server, batch, target, tmp_path):
    login(server, "files", command="git init -q --bare repository")
    url = f"ssh://{target}:{server.port}/home/files/repository"
    attempt = run_client(
        ["git", "-c", f"core.sshCommand={' '.join(['ssh', *batch])}", "clone", "-q", url, str(tmp_path / "clone")]
    )
    assert attempt.allowed and "Enroll" not in attempt.output, attempt.output


def test_port_forwarding(server):
    assert through_forwarding(server, "files").startswith(b"SSH-2.0")


def test_no_offer_in_a_shell_that_is_started_in_the_session(open_session):
    session = open_session("files")
    session.wait_for("Enroll now")
    session.enter("n")
    session.settle()
    assert "Enroll" not in session.run("script -qc 'bash -li -c true' /dev/null")


def test_an_offer_that_fails_costs_no_login(open_session, root):
    root.run("systemctl stop fleetmfa-enroll.socket")
    try:
        session = open_session("files")
        session.wait_for("files@")
        assert "enrollment" not in session.text
        assert session.run("id -un") == "files"
    finally:
        root.run("systemctl start fleetmfa-enroll.socket")
