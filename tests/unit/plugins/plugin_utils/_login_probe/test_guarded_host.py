# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A probe of a host whose guard counts wrong tokens."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.probe import find_module
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._login_probe.client_keys import key_of_file
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._login_probe.known_hosts import KnownHosts
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._login_probe.probe import Probe, Prober
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._ssh_totp.used_steps import StepsFolder
from ansible_collections.fleetmfa.ssh.tests.support.guarded_sshd import GuardedSshd
from ansible_collections.fleetmfa.ssh.tests.support.probed_host import RULES, SECONDS
from ansible_collections.fleetmfa.ssh.tests.support.sshd_host import needs_sshd

pytest.importorskip("paramiko")
pytestmark = [
    needs_sshd,
    pytest.mark.skipif(
        find_module("pam_google_authenticator.so") is None or not shutil.which("flock"),
        reason="needs libpam-google-authenticator and flock(1)",
    ),
]


@pytest.fixture
def sshd(tmp_path, accounts):
    state_dir = tmp_path / "state"
    for name in ("", "guard", "keys"):
        (state_dir / name).mkdir(mode=0o700)
    made = GuardedSshd(tmp_path, state_dir, second_device=False, lock_after=1)
    accounts.add_group("mfa-enforced", ["alice"])
    shutil.copy("/etc/totp/alice", state_dir / "keys/alice")
    yield made
    made.stop()


def test_to_stop_at_the_prompt_is_no_wrong_token(sshd, tmp_path):
    prober = Prober(KnownHosts([str(sshd.known_hosts)]), StepsFolder(tmp_path / "steps"), SECONDS)
    to = {"address": "127.0.0.1", "port": sshd.port, "rules": RULES, "keys": (key_of_file(str(sshd.key)),)}
    for _time in range(2):
        row = prober.row(Probe(host="web1", name="alice", user="alice", expected="asked", token_key=None, **to))
        assert row.ok and "stopped at the prompt" in row.reason, row
        sshd.wait_until_nobody_is_asked()
    assert sshd.log_in("000000")[1] == "Verification code: ", "the prompts have locked nobody"
    record = Path(tmp_path, "state/guard/alice").read_text()
    assert "wrong 1 0\n" in record
    assert sshd.log_in("000000")[1] == "", "the answer has"
