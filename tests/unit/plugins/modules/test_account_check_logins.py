# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The account check and the log of decisions over SSH: the real ssh client, a real sshd, the role's PAM lines and programs."""

from __future__ import annotations

import shutil
import time

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.account_check import account_lines
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.probe import find_module
from ansible_collections.fleetmfa.ssh.tests.support.guarded_sshd import GuardedSshd
from ansible_collections.fleetmfa.ssh.tests.support.sshd_host import needs_sshd

pytestmark = [
    needs_sshd,
    pytest.mark.skipif(find_module("pam_google_authenticator.so") is None, reason="needs libpam-google-authenticator"),
    pytest.mark.skipif(not shutil.which("flock"), reason="needs flock(1)"),
]
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
MANY = {"window": 17, "rate_limit_attempts": 50}  # a busy machine may take minutes
FROM = "from 127.0.0.1"
LOST = ["auth required pam_permit.so"]  # what another tool has put in place of the token lines


@pytest.fixture
def sshd(host, tmp_path):
    made = GuardedSshd(tmp_path, host.path, second_device=False, lock_after=3)
    host.totp_key({"user": "alice", "secret": SECRET, "state": "validated"}, **MANY)
    made.account_lines = account_lines(["sshd"], f"{host.path}/enforced", str(made.guard)).splitlines()
    made.write_service(*made.token_lines, *made.account_lines)
    try:
        yield made
    finally:
        made.stop()


def test_with_a_token_the_account_check_lets_in(host, sshd):
    assert sshd.log_in(host.token(SECRET, time.time()))[0]
    sshd.wait_until_logged(f"asked alice {FROM}: for a token")
    sshd.wait_until_logged(f"accepted alice {FROM}: a token")


def test_without_the_token_lines_only_who_is_not_enforced_gets_in(host, sshd):
    sshd.write_service(*LOST, *sshd.account_lines)
    assert not sshd.log_in("")[0]
    no_token = "no token was given in this login; sshd or PAM no longer asks for it (docs/fail_closed.md)"
    sshd.wait_until_logged(f"refused alice {FROM}: {no_token}")
    assert sshd.log_in("", "bob")[0]
    sshd.wait_until_logged(f"not asked bob {FROM}: has no key on this host")
    sshd.write_service(*LOST)
    assert sshd.log_in("")[0], "it is the account check that denied"
