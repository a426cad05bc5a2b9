# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""key-used says yes only to sshd's own word that a public key was accepted."""

from __future__ import annotations

import subprocess

import pytest

from ansible_collections.fleetmfa.ssh.tests.support.guarded_host import PROGRAMS

ACCEPTED = "publickey ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExample\n"


def key_used(**environment) -> bool:
    result = subprocess.run([str(PROGRAMS / "key-used")], env=environment, capture_output=True, check=False)
    return result.returncode == 0


@pytest.mark.parametrize("service", ["sshd", "sshd-mfa"])
@pytest.mark.parametrize("methods", [ACCEPTED, "password\n" + ACCEPTED, ACCEPTED.rstrip("\n")])
def test_a_key_was_accepted(service, methods):
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
def test_no_key_was_accepted(methods):
    said = {} if methods is None else {"SSH_AUTH_INFO_0": methods}
    assert not key_used(PAM_TYPE="auth", PAM_SERVICE="sshd", **said)


@pytest.mark.parametrize(
    ("pam_type", "service"), [("auth", "su"), ("auth", "sshdx"), ("auth", ""), ("account", "sshd"), ("", "sshd")]
)
def test_only_in_the_auth_phase_of_sshd(pam_type, service):
    assert not key_used(PAM_TYPE=pam_type, PAM_SERVICE=service, SSH_AUTH_INFO_0=ACCEPTED)
    assert not key_used(SSH_AUTH_INFO_0=ACCEPTED)
