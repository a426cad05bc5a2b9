# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Wrong tokens over SSH: the real ssh client, a real sshd, the role's PAM lines, guard and PAM module; and what modules say of it."""

from __future__ import annotations

import calendar
import shutil
import time

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.probe import find_module
from ansible_collections.fleetmfa.ssh.tests.support.guarded_sshd import GuardedSshd
from ansible_collections.fleetmfa.ssh.tests.support.sshd_host import needs_sshd

pytestmark = [
    needs_sshd,
    pytest.mark.skipif(find_module("pam_google_authenticator.so") is None, reason="needs libpam-google-authenticator"),
    pytest.mark.skipif(not shutil.which("flock"), reason="needs flock(1)"),
]
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
ALICE = {"user": "alice", "secret": SECRET, "state": "validated"}
BOB = {"user": "bob", "secret": SECRET, "state": "validated"}
MANY = {"window": 17, "rate_limit_attempts": 50}  # a busy machine may take minutes
WRONG = "000000"
PROMPT = "Verification code: "


@pytest.fixture
def sshd(host, tmp_path):
    made = GuardedSshd(tmp_path, host.path, second_device=False, lock_after=3)
    host.totp_key(ALICE, BOB, **MANY)
    try:
        yield made
    finally:
        made.stop()


def alice(host):
    return host.run("totp_key_info", users=["alice"])["users"][0]


def state(host):
    found = alice(host)
    return (
        found["wrong_tokens"],
        found["locked"],
        [one["id"] for one in found["problems"] if one["id"] == "user_locked"],
    )


def test_locked_told_and_unlocked(host, sshd):
    assert sshd.log_in(WRONG) == (False, PROMPT)
    sshd.open_until_sshd_gives_up()
    sshd.open_and_abandon()
    assert sshd.log_in(WRONG) == (False, PROMPT)
    assert state(host) == (2, False, [])
    assert sshd.log_in(WRONG) == (False, PROMPT)
    assert state(host) == (3, True, ["user_locked"])
    until = calendar.timegm(time.strptime(alice(host)["locked_until"], "%Y-%m-%dT%H:%M:%SZ"))
    assert time.time() < until <= time.time() + 1800
    assert sshd.log_in(host.token(SECRET, time.time())) == (False, "")
    assert sshd.log_in(host.token(SECRET, time.time()), "bob") == (True, PROMPT)
    (unlocked,) = host.run("totp_unlock", users=["alice"])["users"]
    assert (unlocked["wrong_tokens"], unlocked["locked"], unlocked["changed"]) == (3, True, True)
    assert state(host) == (0, False, [])
    assert sshd.log_in(host.token(SECRET, time.time())) == (True, PROMPT)


def test_without_the_key_nobody_locks_alice(host, sshd):
    """As with password+totp, where PAM asks for the token before anything else."""
    config = sshd.config
    sshd.reload(config.replace("publickey,keyboard-interactive:pam", "keyboard-interactive:pam"))
    for _time in range(4):
        assert sshd.log_in(WRONG) == (False, PROMPT)
    assert state(host) == (0, False, [])
    sshd.reload(config)
    assert sshd.log_in(host.token(SECRET, time.time())) == (True, PROMPT)
