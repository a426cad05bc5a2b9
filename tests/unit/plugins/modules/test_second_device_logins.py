# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A second device from totp_key to a login: the real ssh client, a real sshd, the role's PAM lines, guard and PAM module."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.probe import find_module
from ansible_collections.fleetmfa.ssh.tests.support.guarded_host import installed_program, step_with_time_left
from ansible_collections.fleetmfa.ssh.tests.support.sshd_host import needs_sshd
from ansible_collections.fleetmfa.ssh.tests.support.token_host import TokenHost
from ansible_collections.fleetmfa.ssh.tests.support.two_device_host import token_lines

pytestmark = [
    needs_sshd,
    pytest.mark.skipif(find_module("pam_google_authenticator.so") is None, reason="needs libpam-google-authenticator"),
    pytest.mark.skipif(not shutil.which("flock"), reason="needs flock(1)"),
]
PHONE, TABLET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", "KRUGKIDROVUWG2ZAKRUGKIDROVUWG2ZA"
FIRST = {"user": "alice", "secret": PHONE, "state": "validated"}
SECOND = {"user": "alice", "device": "tablet", "secret": TABLET, "state": "validated"}
TEXT = "Verification code of either of your devices (not a password):\nPassword: "
MANY = {"window": 17, "rate_limit_attempts": 50}  # a busy machine may take minutes


@pytest.fixture
def sshd(host, tmp_path):
    made = TokenHost(tmp_path)
    guard = tmp_path / "totp-guard"
    guard.write_text(installed_program("totp-guard").replace("/var/lib/fleetmfa", str(host.path)))
    guard.chmod(0o755)
    lines = token_lines(str(tmp_path), str(host.path), own_service=False).splitlines()
    made.write_service(*(line for line in lines if line.startswith("auth")))
    made.write_key(user="bob")
    try:
        yield made
    finally:
        made.stop()


def log_in(sshd, answer, user="alice"):
    """Whether one answer lets the user in, and the prompt that was answered."""
    ask, prompts = sshd.folder / "askpass", sshd.folder / "prompts"
    ask.write_text(f'#!/bin/sh\nprintf %s "$1" >>{prompts}\necho {answer}\n')
    ask.chmod(0o700)
    prompts.write_text("")
    command = ["ssh", "-F", "none", "-p", str(sshd.port), "-i", str(sshd.key), "-o", "IdentitiesOnly=yes"]
    command += [
        "-o",
        f"UserKnownHostsFile={sshd.known_hosts}",
        "-o",
        "NumberOfPasswordPrompts=1",
        f"{user}@127.0.0.1",
        "id -un",
    ]
    environment = {**os.environ, "SSH_ASKPASS": str(ask), "SSH_ASKPASS_REQUIRE": "force", "DISPLAY": ":0"}
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, check=False, stdin=subprocess.DEVNULL
    )
    return done.stdout == f"{user}\n", prompts.read_text().replace(f"({user}@127.0.0.1) ", "")


def test_asked_once_and_either_device_lets_in_once(host, sshd):
    host.totp_key(FIRST, SECOND, {"user": "bob", "secret": PHONE, "state": "validated"}, **MANY)
    now = step_with_time_left() * 30
    for secret in (PHONE, TABLET):
        assert log_in(sshd, host.token(secret, now)) == (True, TEXT)
        assert log_in(sshd, host.token(secret, now)) == (False, TEXT)
    assert log_in(sshd, "000000") == (False, TEXT)
    code = host.state_dir.validated("alice").recovery_codes[0]
    assert log_in(sshd, code) == (True, TEXT)
    assert log_in(sshd, host.token(PHONE, now), "bob") == (True, "Verification code: ")
    assert log_in(sshd, host.token(TABLET, now), "bob") == (False, "Verification code: ")


def test_each_device_is_revoked_alone(host, sshd):
    host.totp_key(FIRST, SECOND, **MANY)
    now = time.time()
    host.totp_key({"user": "alice", "device": "tablet", "state": "absent"})
    assert log_in(sshd, host.token(TABLET, now)) == (False, "Verification code: ")
    assert log_in(sshd, host.token(PHONE, now)) == (True, "Verification code: ")
    host.totp_key(SECOND, **MANY)
    assert log_in(sshd, host.token(TABLET, now))[0]
    host.totp_key({"user": "alice", "device": "tablet", "state": "promoted"})
    assert not log_in(sshd, host.token(PHONE, now, 1))[0]
    assert not log_in(sshd, host.token(TABLET, now))[0], "it was used before the key was promoted"
    assert log_in(sshd, host.token(TABLET, now, 1)) == (True, "Verification code: ")


def test_who_has_left_gets_in_with_no_device(host, sshd):
    """The key store denies a leaver by a key that nobody has; a second key must not be left over."""
    host.totp_key(FIRST, SECOND, **MANY)
    key = Path(host.path, "keys/alice")
    key.write_text(key.read_text().replace('" FLEETMFA {', '" FLEETMFA {"locked": true, '))
    assert not log_in(sshd, host.token(TABLET, time.time()))[0]
