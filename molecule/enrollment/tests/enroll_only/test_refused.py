# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""If sshd cannot confine users, the role reports that instead of pretending."""

from __future__ import annotations

from pathlib import Path

import pytest


def test_old_openssh_is_refused(server, root, playbook):
    if "OpenSSH_8.4" not in root.run("ssh -V 2>&1").stdout:
        pytest.skip("this sshd can")
    converge = Path(__file__).parents[2] / "converge.yml"
    with pytest.raises(AssertionError) as refusal:
        playbook(converge, "--limit", server.name, "-e", "mfa_enrollment_overdue=enroll_only")
    assert "needs OpenSSH 8.5; this host has 8.4" in str(refusal.value)
