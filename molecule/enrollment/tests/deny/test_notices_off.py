# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A run without mfa_notify_command takes away what told users before."""

from __future__ import annotations


def test_nothing_of_it_is_left(root):
    assert not root.file("/etc/fleetmfa/notices.conf").exists
    assert not root.file("/usr/local/libexec/fleetmfa/mfa-notice").exists
    assert root.run("systemctl list-units --all --no-legend 'fleetmfa-notice*'").stdout == ""
    assert root.run("find /etc/systemd -name 'fleetmfa-notice*'").stdout == ""
