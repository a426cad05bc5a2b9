# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Nothing in the user's home, present or missing, decides whether the token is asked for or which token is right."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pyotp
import pytest
from handshake import handshake

from lab.logins import login

OWN_SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
OWN_KEY_FILE = f'{OWN_SECRET}\n" TOTP_AUTH\n12345678\n'
# What sshd or the PAM modules set, or the loader reads.
VARIABLES = {
    "SSH_AUTH_INFO_0": "publickey",
    "PAM_USER": "ansible",
    "PAM_TYPE": "open_session",
    "PAM_SERVICE": "other",
    "PAM_RHOST": "localhost",
    "USER": "ansible",
    "HOME": "/home",
    "LD_PRELOAD": "/home/own.so",
    "LD_LIBRARY_PATH": "/home",
    "BASH_ENV": "/home/own.sh",
    "ENV": "/home/own.sh",
    "IFS": "/",
}
KEY_OPTIONS = [
    'environment="SSH_AUTH_INFO_0=publickey"',
    'environment="PAM_USER=ansible"',
    'environment="LD_PRELOAD=/home/own.so"',
    'command="id -un"',
    'permitopen="*:*"',
    'from="*"',
    'tunnel="0"',
    "restrict,pty",
    "no-pty,no-user-rc",
]


def test_variables_sent_along(mark):
    sent = " ".join(f"{name}={value}" for name, value in VARIABLES.items())
    assert not mark.key_alone("-o", f"SetEnv={sent}", "-o", "SendEnv=*").allowed


@pytest.mark.parametrize("path", [".ssh/environment", ".pam_environment"])
def test_files_of_variables(mark, path):
    mark.write(path, "".join(f"{name}={value}\n{name} OVERRIDE={value}\n" for name, value in VARIABLES.items()))
    assert not mark.key_alone().allowed


@pytest.mark.parametrize("path", [".bashrc", ".profile", ".ssh/rc", ".forward"])
def test_programs_that_a_login_runs(mark, path):
    mark.write(path, f"touch {mark.home}/was-run\n", "700")
    assert not mark.key_alone().allowed
    assert not mark.root.file(f"{mark.home}/was-run").exists


@pytest.mark.parametrize("options", KEY_OPTIONS)
def test_options_of_the_key(mark, options):
    mark.run(f"sed -i 's|^ssh-|{options} ssh-|' ~/.ssh/authorized_keys")
    assert not mark.key_alone().allowed


def test_certificate_of_an_authority_of_the_users_own(mark, tmp_path):
    authority, certified = tmp_path / "authority", tmp_path / "certified"
    for path in (authority, certified):
        _ssh_keygen("-t", "ed25519", "-N", "", "-f", path)
    trusted = authority.with_suffix(".pub").read_text()
    mark.run(
        f"""echo 'cert-authority,principals="{mark.name},root,nobody" {trusted.strip()}' > ~/.ssh/authorized_keys"""
    )
    _ssh_keygen("-s", authority, "-I", "root", "-n", f"{mark.name},root", certified.with_suffix(".pub"))
    certificate = ["-o", f"CertificateFile={tmp_path}/certified-cert.pub", "-i", str(certified)]
    assert not mark.key_alone(*certificate).allowed
    mark.write(".ssh/authorized_keys", Path(f"{mark.server.key}.pub").read_text())


def test_key_file_of_the_users_own(mark):
    for path in (".google_authenticator", ".config/google-authenticator/key", "keys", mark.name):
        mark.write(path, OWN_KEY_FILE, "400")
    mark.write(".pam_environment", f"secret DEFAULT={mark.home}/.google_authenticator\n")
    for answer in (pyotp.TOTP(OWN_SECRET).now(), "12345678"):
        attempt = login(mark.server, mark.name, [answer])
        assert attempt.asked and not attempt.allowed


def test_emptied_home(mark):
    mark.run("find ~ -mindepth 1 -maxdepth 1 ! -name .ssh -exec rm -r {} +")
    assert not mark.key_alone().allowed


def test_deleted_home(mark):
    mark.root.run_expect([0], f"mv {mark.home} {mark.home}.gone")
    try:
        assert not login(mark.server, mark.name, [mark.key.token()]).allowed
        with handshake(mark.server) as attempt:
            assert not attempt.password(mark.name, mark.password)
            assert not attempt.interactive(mark.name, [mark.key.token()])
    finally:
        mark.root.run_expect([0], f"mv {mark.home}.gone {mark.home}")


@pytest.mark.parametrize("what", [".ssh", ".ssh/authorized_keys"])
def test_symbolic_links(mark, what):
    mark.run(f"cd; mv {what} elsewhere; ln -s ~/elsewhere {what}")
    assert not mark.key_alone().allowed


def _ssh_keygen(*arguments):
    subprocess.run(["ssh-keygen", "-q", *map(str, arguments)], check=True, stdin=subprocess.DEVNULL)
