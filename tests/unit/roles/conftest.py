# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from ansible_collections.fleetmfa.ssh.tests.support.guarded_host import GuardedHost


@pytest.fixture(params=["dash", "bash"])
def host(tmp_path, request):
    if not shutil.which(request.param):
        pytest.skip(f"needs {request.param}")
    if os.geteuid() != 0:
        pytest.skip("needs root, whose key files the PAM module reads")
    if not shutil.which("flock") or not list(Path("/lib").glob("*/security/pam_google_authenticator.so")):
        pytest.skip("needs libpam-google-authenticator and flock(1)")
    return GuardedHost(tmp_path, request.param)
