# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""An open door."""

from __future__ import annotations

import os
import tempfile

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.root.service import serve
from ansible_collections.fleetmfa.ssh.tests.support.enrollment_host import OpenDoor, provision


@pytest.fixture
def door(tmp_path, accounts, render):
    """The path of an open door of a host where alice and bob have pending keys."""
    accounts.add_group("mfa-enforced")
    provision(tmp_path, "alice", "bob")
    policy = render(mfa__state_dir=str(tmp_path / "state"), mfa_unknown_first_factor="accept")
    with tempfile.TemporaryDirectory() as folder:  # tmp_path is closed to other users
        os.chmod(folder, 0o755)  # noqa: S103
        path = f"{folder}/socket"
        opened = OpenDoor(path, lambda connection: serve(connection, policy))
        yield path
        opened.close()
