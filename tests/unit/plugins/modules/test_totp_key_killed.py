# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Module totp_key, killed at steps all over a run that enforces some users, releases some and changes the rest."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

OLD, NEW = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", "KRUGKIDROVUWG2ZAKRUGKIDROVUWG2ZA"
USERS = [f"user{number}" for number in range(20)]
BEFORE = [{"user": name, "secret": OLD, "state": "validated" if n % 2 else "present"} for n, name in enumerate(USERS)]
AFTER = [{"user": name, "secret": NEW, "state": "absent" if n % 2 else "validated"} for n, name in enumerate(USERS)]
TIMES = 24

PROGRAM = """
import atexit, json, sys
from ansible.module_utils.testing import patch_module_args
from ansible_collections.fleetmfa.ssh.plugins.modules import totp_key
from ansible_collections.fleetmfa.ssh.tests.support.killer import Killer
killer = Killer(int(sys.argv[2]))
with patch_module_args(json.loads(sys.argv[1])), killer.watching():
    try:
        totp_key.main()
    finally:
        print(killer.steps, file=sys.stderr)
"""


@pytest.fixture
def run(host):
    """run(kill_at) starts from BEFORE and goes to AFTER; how it ended and how many steps it made."""
    host.accounts.add(*USERS)
    arguments = json.dumps({"keys": AFTER, "state_dir": str(host.path), "unknown_first_factor": "accept"})

    def run(kill_at=0):
        host.totp_key(*({"user": name, "state": "absent"} for name in USERS))
        host.totp_key(*BEFORE)
        command = [sys.executable, "-c", PROGRAM, arguments, str(kill_at)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    return run


def test_nobody_is_locked_out_and_the_next_run_finishes(host, run):
    steps = int(run().stderr.split()[-1])
    assert steps > 200
    for kill_at in range(1, steps + 1, steps // TIMES):
        assert run(kill_at).returncode == -signal.SIGKILL
        for member in host.members():
            assert host.state_dir.validated(member).problems == [], "a member without a key is locked out"
        assert not host.totp_key(*AFTER).get("failed")
        assert host.members() == {name for n, name in enumerate(USERS) if n % 2 == 0}
        assert not host.totp_key(*AFTER)["changed"]
        assert set(os.listdir(host.path / "keys")) == host.members()
