# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""`remove` leaves the PAM services as they were."""

from __future__ import annotations

PASSWORD = "correct horse"  # noqa: S105


def test_services_are_as_before(root):
    compared = root.run("diff -r /root/pam.d /etc/pam.d")
    assert compared.rc == 0, compared.stdout
    assert root.file("/root/pam.d/polkit-1").exists


def test_nobody_is_asked_for_a_token(pkexec, cockpit, lightdm, gdm):
    assert pkexec("carol", "carol", PASSWORD) == ("CP", "root")
    assert cockpit("erin", PASSWORD) == ("P", "erin")
    assert lightdm("alice", PASSWORD) == ("P", "alice")
    assert gdm("frank", PASSWORD) == ("P", "frank")
