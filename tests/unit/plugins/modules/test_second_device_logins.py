# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A second device from totp_key to a login: the real ssh client, a real sshd, the role's PAM lines, guard and PAM module."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.probe import find_module
from ansible_collections.fleetmfa.ssh.tests.support.guarded_host import step_with_time_left
from ansible_collections.fleetmfa.ssh.tests.support.guarded_sshd import GuardedSshd
from ansible_collections.fleetmfa.ssh.tests.support.sshd_host import needs_sshd

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
    made = GuardedSshd(tmp_path, host.path)
    try:
        yield made
    finally:
        made.stop()


def test_asked_once_and_either_device_lets_in_once(host, sshd):
    host.totp_key(FIRST, SECOND, {"user": "bob", "secret": PHONE, "state": "validated"}, **MANY)
    now = step_with_time_left() * 30
    for secret in (PHONE, TABLET):
        assert sshd.log_in(host.token(secret, now)) == (True, TEXT)
        assert sshd.log_in(host.token(secret, now)) == (False, TEXT)
    assert sshd.log_in("000000") == (False, TEXT)
    code = host.state_dir.validated("alice").recovery_codes[0]
    assert sshd.log_in(code) == (True, TEXT)
    assert sshd.log_in(host.token(PHONE, now), "bob") == (True, "Verification code: ")
    assert sshd.log_in(host.token(TABLET, now), "bob") == (False, "Verification code: ")


def test_each_device_is_revoked_alone(host, sshd):
    host.totp_key(FIRST, SECOND, **MANY)
    now = time.time()
    host.totp_key({"user": "alice", "device": "tablet", "state": "absent"})
    assert sshd.log_in(host.token(TABLET, now)) == (False, "Verification code: ")
    assert sshd.log_in(host.token(PHONE, now)) == (True, "Verification code: ")
    host.totp_key(SECOND, **MANY)
    assert sshd.log_in(host.token(TABLET, now))[0]
    host.totp_key({"user": "alice", "device": "tablet", "state": "promoted"})
    assert not sshd.log_in(host.token(PHONE, now, 1))[0]
    assert not sshd.log_in(host.token(TABLET, now))[0], "it was used before the key was promoted"
    assert sshd.log_in(host.token(TABLET, now, 1)) == (True, "Verification code: ")


def test_who_has_left_gets_in_with_no_device(host, sshd):
    """The key store denies a leaver by a key that nobody has; a second key must not be left over."""
    host.totp_key(FIRST, SECOND, **MANY)
    key = Path(host.path, "keys/alice")
    key.write_text(key.read_text().replace('" FLEETMFA {', '" FLEETMFA {"locked": true, '))
    assert not sshd.log_in(host.token(TABLET, time.time()))[0]
