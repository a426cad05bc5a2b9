# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Doors that are no longer in mfa_services have no lines left, while a door that included one of them keeps asking."""

from __future__ import annotations

PASSWORD = "correct horse"  # noqa: S105


def test_files(root):
    changed = root.run("diff -rq /root/pam.d /etc/pam.d").stdout.splitlines()
    assert {line.split()[1].rpartition("/")[2] for line in changed if line.startswith("Files")} == {
        "common-account",
        "sshd",
        "su-l",
    }


def test_logins(su, sudo, console, keys):
    assert su("bob", "alice", PASSWORD, options="-l") == ("PT", "")
    assert su("bob", "alice", PASSWORD, keys["alice"].token(), options="-l") == ("PT", "alice")
    assert su("bob", "alice", PASSWORD) == ("P", "alice")
    assert sudo("carol", PASSWORD, options="-k") == ("P", "root")
    assert console("erin", PASSWORD) == ("P", "erin")
