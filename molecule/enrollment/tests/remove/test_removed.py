# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""`remove` removes enrollment completely."""

from __future__ import annotations

import pytest

from lab.logins import login


def test_nothing_is_left(root):
    for path in (
        "/etc/fleetmfa",
        "/usr/local/bin/mfa-enroll",
        "/usr/local/libexec/fleetmfa",
        "/run/fleetmfa/enroll.sock",
    ):
        assert not root.file(path).exists, path
    assert root.run("find /etc /usr/local -name '*fleetmfa*' -o -name 'mfa-enroll*'").stdout == ""
    assert (
        root.run(
            "systemctl list-units --all --no-legend 'fleetmfa-enroll*' 'fleetmfa-deadline*' 'fleetmfa-notice*'"
        ).stdout
        == ""
    )
    assert not root.group("mfa-overdue").exists


def test_files_of_others_are_as_before(root):
    if not root.file("/root/zprofile").exists:
        pytest.skip("no zsh on this host")
    assert root.run("cmp /root/zprofile /etc/zsh/zprofile").rc == 0


def test_overdue_users_get_in_again(server):
    attempt = login(server, "late")
    assert attempt.allowed and not attempt.asked
