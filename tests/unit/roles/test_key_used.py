# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The programs that PAM runs, as the role installs them; key-used says yes only to sshd's own word that a public key was accepted."""

from __future__ import annotations

import json
import subprocess

import pytest

from ansible_collections.fleetmfa.ssh.tests.support.guarded_host import ROLE, installed_program

ACCEPTED = "publickey ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExample\n"


@pytest.fixture
def key_used(tmp_path):
    program = tmp_path / "key-used"
    program.write_text(installed_program("key-used"))
    program.chmod(0o755)

    def key_used_(**environment) -> bool:
        return subprocess.run([str(program)], env=environment, capture_output=True, check=False).returncode == 0

    return key_used_


def test_the_shell_takes_nothing_from_the_environment():
    command = ["ansible", "localhost", "-m", "ansible.builtin.debug", "-a", "var=mfa__pam_programs"]
    command += ["-e", "@vars/main/main.yml"]
    done = subprocess.run(command, cwd=ROLE, capture_output=True, text=True, check=True)
    programs = json.loads(done.stdout.partition("=>")[2])["mfa__pam_programs"]
    assert len(programs) == 3
    for program in programs:
        assert program["content"] == installed_program(program["path"].rpartition("/")[2])
        assert program["content"].startswith("#!/bin/sh -p\n# SPDX")


@pytest.mark.parametrize("service", ["sshd", "sshd-mfa"])
@pytest.mark.parametrize("methods", [ACCEPTED, "password\n" + ACCEPTED, ACCEPTED.rstrip("\n")])
def test_a_key_was_accepted(key_used, service, methods):
    assert key_used(PAM_TYPE="auth", PAM_SERVICE=service, SSH_AUTH_INFO_0=methods)


@pytest.mark.parametrize(
    "methods",
    [
        None,
        "",
        "password\n",
        "keyboard-interactive/pam\n",
        'hostbased ssh-ed25519 AAAA client user "publickey x", client host "a"\n',
        "gssapi-with-mic publickey x@EXAMPLE.ORG\n",
        "publickey\n",
        " publickey ssh-ed25519 AAAA\n",
    ],
)
def test_no_key_was_accepted(key_used, methods):
    said = {} if methods is None else {"SSH_AUTH_INFO_0": methods}
    assert not key_used(PAM_TYPE="auth", PAM_SERVICE="sshd", **said)


@pytest.mark.parametrize(
    ("pam_type", "service"), [("auth", "su"), ("auth", "sshdx"), ("auth", ""), ("account", "sshd"), ("", "sshd")]
)
def test_only_in_the_auth_phase_of_sshd(key_used, pam_type, service):
    assert not key_used(PAM_TYPE=pam_type, PAM_SERVICE=service, SSH_AUTH_INFO_0=ACCEPTED)
    assert not key_used(SSH_AUTH_INFO_0=ACCEPTED)
