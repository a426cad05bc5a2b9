# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""mfa_enrollment_overdue: enroll_only. The session is only for enrollment, whatever the user has prepared."""

from __future__ import annotations

import time

import pytest

from lab.logins import client_options, login, run_client, through_forwarding

DROP_IN = "/etc/ssh/sshd_config.d/00-fleetmfa.conf"
ESCAPED = "touch /home/dodger/escaped"
# What a user may have put into the home folder while that was still possible.
PREPARED = {
    ".bashrc": f"{ESCAPED}\nexec /bin/sh\n",
    ".profile": f"{ESCAPED}\n",
    ".bash_profile": f"{ESCAPED}\n",
    ".zshenv": f"{ESCAPED}\n",
    ".tcshrc": f"{ESCAPED}\n",
    ".cshrc": f"{ESCAPED}\n",
    ".config/fish/config.fish": f"{ESCAPED}\n",
    ".ssh/rc": f"{ESCAPED}\n",
    ".ssh/environment": "BASH_ENV=/home/dodger/.profile\n",
    ".pam_environment": "BASH_ENV DEFAULT=/home/dodger/.profile\nENV DEFAULT=/home/dodger/.profile\n"
    "LD_PRELOAD DEFAULT=/home/dodger/evil.so\nHOME DEFAULT=/home/dodger\nZDOTDIR DEFAULT=/home/dodger\n"
    "OPENSSL_CONF DEFAULT=/home/dodger/openssl.cnf\n",
}


@pytest.fixture(autouse=True)
def confinable(server, root):
    version = root.run("ssh -V 2>&1").stdout
    if "OpenSSH_8.4" in version:
        pytest.skip("OpenSSH 8.4 cannot confine users; that the role refuses is a test of its own")


@pytest.fixture
def batch(server):
    return [*client_options(server), "-o", "BatchMode=yes"]


def test_nothing_else_is_possible(server, batch, tmp_path):
    target = f"late@{server.address}"
    commands = tmp_path / "commands"
    commands.write_text("ls\n")
    for argv in (
        ["ssh", *batch, target, "id"],
        ["ssh", *batch, "-tt", target, "id"],
        ["ssh", *batch, "-T", target],
        ["scp", *batch, f"{target}:/etc/hostname", str(tmp_path / "copied")],
        ["sftp", *batch, "-b", str(commands), target],
        ["rsync", "-e", " ".join(["ssh", *batch]), f"{target}:/etc/hostname", str(tmp_path / "copied")],
    ):
        attempt = run_client(argv, stdin="id\n")
        assert not attempt.allowed and "uid=" not in attempt.output, attempt.output
    assert not (tmp_path / "copied").exists()


def test_no_forwarding(server):
    assert through_forwarding(server, "late") == b""


@pytest.mark.parametrize("shell", ["/bin/bash", "/bin/sh", "/usr/bin/zsh", "/usr/bin/fish", "/usr/bin/tcsh"])
def test_no_way_out_by_start_up_files(server, root, open_session, batch, shell):
    if not root.file(shell).exists:
        pytest.skip("not installed on this host")
    root.run(f"usermod -s {shell} dodger; rm -f /home/dodger/escaped; mkdir -p /home/dodger/.config/fish")
    for name, content in PREPARED.items():
        root.run(f"cat > /home/dodger/{name} <<'END'\n{content}END")
    root.run("chown -R dodger: /home/dodger")
    for command in ([], ["id"], ["-tt", "id"]):
        run_client(["ssh", *batch, f"dodger@{server.address}", *command])
    session = open_session("dodger")
    session.wait_for("Press Enter to begin")
    session.send("\x1a\x1c")
    session.settle()
    session.send("\x03")
    session.wait_for_end()
    assert not root.file("/home/dodger/escaped").exists


@pytest.mark.parametrize("leave", ["q\r", "\x03", "\x04"], ids=["q", "Ctrl-C", "Ctrl-D"])
def test_leaving_ends_the_session(open_session, leave):
    session = open_session("late")
    session.wait_for("Press Enter to begin")
    session.send(leave)
    assert session.wait_for_end() != 0


def test_enrolling_opens_the_host(server, open_session, root, state_of):
    session = open_session("late")
    totp = session.to_the_qr_code()
    session.keep(session.two_tokens(totp))
    assert session.wait_for_end() == 0
    assert "Please log in again" in session.text
    assert state_of("late") == {"validated"}
    assert "late" not in root.group("mfa-overdue").members
    attempt = login(server, "late", [totp.at(time.time() + 30)])
    assert attempt.asked and attempt.allowed and attempt.output == "late"


def test_a_closed_door_lets_nobody_in(server, root, batch):
    root.run("systemctl stop fleetmfa-enroll.socket")
    try:
        attempt = run_client(["ssh", *batch, "-tt", f"dodger@{server.address}"])
        assert not attempt.allowed and "does not answer" in attempt.output
    finally:
        root.run("systemctl start fleetmfa-enroll.socket")


def test_others_notice_nothing(server):
    attempt = login(server, "files")
    assert attempt.allowed and not attempt.asked and attempt.output == "files"


def test_the_way_out_is_real(server, root, batch, reload_sshd):
    """Without the SetEnv line of the drop-in the prepared code runs: the attack above can succeed."""
    root.run("usermod -s /bin/bash dodger; rm -f /home/dodger/escaped")
    root.run(f"cp -p {DROP_IN} /root/drop-in; sed -i '/SetEnv/d' {DROP_IN}")
    try:
        reload_sshd()
        run_client(["ssh", *batch, f"dodger@{server.address}", "id"])
        assert root.file("/home/dodger/escaped").exists
    finally:
        root.run(f"cp -p /root/drop-in {DROP_IN}; rm -f /home/dodger/escaped")
        reload_sshd()
