# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""docs/clients.md: each program against an account that is asked for a token. The blocks of the guide are what is run."""

from __future__ import annotations

import contextlib
import io
import re
import subprocess
import tempfile
from pathlib import Path

import paramiko
import pexpect
import pytest

from lab.logins import TIMEOUT, run_client, transport_to

GUIDE = (Path(__file__).parents[3] / "docs/clients.md").read_text()
PROMPT = "Verification code: "


def block(language: str, words: str) -> str:
    """The block of the guide that has these words in it."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
    (found,) = [one for one in blocks if words in one]
    return found


@pytest.fixture
def sockets():
    """A folder with a short name: the path of a socket may have 107 characters."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield folder


@pytest.fixture
def config(server, tmp_path, sockets):
    """The guide's ssh_config, for this server."""
    own = (
        f"Host web1.example.com\n  HostName {server.address}\n  Port {server.port}\n  IdentityFile {server.key}\n"
        f"  UserKnownHostsFile {server.known_hosts}\n  IdentitiesOnly yes\n  ControlPath {sockets}/cm-%C\n"
    )
    path = tmp_path / "config"
    path.write_text(own + block("", "ControlMaster auto"))
    return path


@pytest.fixture
def master(config, keys):
    """options of ssh for user openssh, whose one token opened the connection that all programs share."""
    options = ["-F", str(config)]
    done = run_client(["ssh", *options, "openssh@web1.example.com", "id -un"], [keys["openssh"].token()])
    assert done.allowed and len(done.prompts) == 1 and PROMPT in done.prompts[0], done
    yield options
    subprocess.run(["ssh", *options, "-O", "exit", "openssh@web1.example.com"], capture_output=True, check=True)


def test_openssh_and_what_uses_it(master, tmp_path):
    """One token for ssh, scp, sftp, rsync, git and an editor's connection; none of them is asked again."""
    there, ssh = "openssh@web1.example.com", " ".join(["ssh", *master])
    (tmp_path / "sent").write_text("a file\n")
    subprocess.run(["git", "init", "-q", "-b", "main", str(tmp_path / "here")], check=True)
    commit = ["-c", "user.name=x", "-c", "user.email=x@example.com", "commit", "-q", "--allow-empty", "-m", "first"]
    subprocess.run(["git", "-C", str(tmp_path / "here"), *commit], check=True)
    git = ["git", "-c", f"core.sshCommand={ssh}", "-C", str(tmp_path / "here")]
    for command, stdin in (
        (["scp", *master, str(tmp_path / "sent"), f"{there}:by-scp"], ""),
        (["sftp", *master, "-b", "-", there], f"put {tmp_path / 'sent'} by-sftp\n"),
        (["rsync", "-e", ssh, str(tmp_path / "sent"), f"{there}:by-rsync"], ""),
        (
            [
                "lftp",
                *("-u", "openssh,", "-e"),
                f"set sftp:connect-program '{ssh} -a -x'; put {tmp_path / 'sent'} -o by-lftp; bye",
                "sftp://web1.example.com",
            ],
            "",
        ),
        (["ssh", *master, there, "git init -q --bare by-git"], ""),
        ([*git, "push", "-q", f"{there}:by-git", "main"], ""),
        # How an editor of the VS Code family begins: a shell that reads its set-up from standard input.
        (
            ["ssh", *master, "-T", there, "bash"],
            "cat by-scp by-sftp by-rsync by-lftp; git -C by-git log --format=%s main\n",
        ),
    ):
        done = run_client(command, stdin=stdin)
        assert done.allowed and done.prompts == [], (command, done)
    assert done.output.split("\n") == ["a file"] * 4 + ["first"]


@pytest.fixture
def putty(server, tmp_path):
    """putty("plink", "alice", ...): the program with the key converted by puttygen, on a terminal."""
    with transport_to(server) as transport:
        known = transport.get_remote_server_key().fingerprint
    subprocess.run(["puttygen", server.key, "-O", "private", "-o", str(tmp_path / "key.ppk")], check=True)
    started = []

    def start(program, user, *arguments):
        options = ["-hostkey", known, "-i", str(tmp_path / "key.ppk"), "-P", str(server.port)]
        there = f"{user}@{server.address}"
        arguments = [one.format(there=there) for one in arguments]
        child = pexpect.spawn(
            program,
            [*options, *arguments],
            encoding="utf-8",
            timeout=TIMEOUT,
            env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "TERM": "xterm"},
        )
        child.logfile_read = io.StringIO()
        started.append(child)
        return child

    yield start
    for child in started:
        child.close(force=True)


def ended(child):
    child.expect(pexpect.EOF)
    child.wait()
    return child.exitstatus


def test_plink(putty, keys):
    child = putty("plink", "plink", "{there}", "id -un")
    child.expect_exact(PROMPT)
    child.sendline(keys["plink"].token())
    child.expect_exact("Access granted. Press Return to begin session.")
    child.sendline()
    assert ended(child) == 0 and child.logfile_read.getvalue().split()[-1] == "plink"


def test_psftp(putty, keys):
    child = putty("psftp", "psftp", "{there}")
    child.expect_exact(PROMPT)
    child.sendline(keys["psftp"].token())
    child.expect_exact("psftp> ")
    child.sendline("pwd")
    child.expect_exact("Remote directory is /home/psftp")


def test_pscp(putty, keys, tmp_path):
    (tmp_path / "sent").write_text("a file\n")
    child = putty("pscp", "pscp", str(tmp_path / "sent"), "{there}:sent")
    child.expect_exact(PROMPT)
    child.sendline(keys["pscp"].token())
    assert ended(child) == 0


def test_wrong_token(putty, keys):
    child = putty("plink", "wrong", "{there}", "id -un")
    child.expect_exact(PROMPT)
    child.sendline(keys["wrong"].wrong_token())
    child.expect_exact([PROMPT, "Access denied", "No supported authentication methods"])
    assert "wrong\r\nwrong" not in child.logfile_read.getvalue()


def test_who_is_not_asked(putty):
    child = putty("plink", "bob", "-batch", "{there}", "id -un")
    assert ended(child) == 0 and PROMPT not in child.logfile_read.getvalue()


def test_paramiko(server, keys):
    """As a program of one's own would do it."""
    given = {
        "host": server.address,
        "port": server.port,
        "key_file": server.key,
        "known_hosts": server.known_hosts,
        "token": keys["library"].token(),
        "user": "library",
    }
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(block("python", "paramiko"), "docs/clients.md", "exec"), given)  # noqa: S102
    assert printed.getvalue() == "library\n"
    with pytest.raises(paramiko.SSHException):
        exec(compile(block("python", "paramiko"), "docs/clients.md", "exec"), {**given})  # noqa: S102  the token is used
