# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Hosts of a fleet that are this machine."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ansible_collections.fleetmfa.ssh.tests.support.local_fleet import LocalFleet, Preparation


@pytest.fixture
def hosts(accounts, tmp_path):
    Path("/etc/ssh").mkdir()
    # Some public key: nobody is enforced without one.
    Path("/etc/ssh/sshd_config").write_text("UsePAM yes\nAuthorizedKeysFile /etc/ssh/ssh_host_ed25519_key.pub\n")
    subprocess.run(["ssh-keygen", "-A"], check=True, capture_output=True)
    return LocalFleet(tmp_path)


@pytest.fixture(scope="module")
def preparation(tmp_path_factory):
    return Preparation(tmp_path_factory.mktemp("preparation"))
