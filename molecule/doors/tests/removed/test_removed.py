# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""`remove` leaves the PAM services as they were."""

from __future__ import annotations

PASSWORD = "correct horse"  # noqa: S105


def test_services_are_as_before(root):
    compared = root.run("diff -r /root/pam.d /etc/pam.d")
    assert compared.rc == 0, compared.stdout
    assert root.file("/root/pam.d/su").exists


def test_nobody_is_asked_for_a_token(su, sudo, console):
    assert su("bob", "alice", PASSWORD, options="-l") == ("P", "alice")
    assert sudo("carol", PASSWORD, options="-k") == ("P", "root")
    assert console("erin", PASSWORD) == ("P", "erin")
