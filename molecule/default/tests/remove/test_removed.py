# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""`remove`: sshd and PAM configuration byte for byte as before, nothing of ours left, everybody gets in by key."""

from __future__ import annotations

import re

import pytest

from lab.logins import login


def test_configuration_is_as_before(root):
    compared = root.run("diff -r --exclude=99-test.conf /root/ssh /etc/ssh && diff -r /root/pam.d /etc/pam.d")
    assert compared.rc == 0, compared.stdout
    assert len(root.file("/root/pam.d").listdir()) > 10 and root.file("/root/ssh/sshd_config").exists


# The last two do not exist on a fresh host, but for Debian 13, which comes with the first of them: that one stays.
@pytest.mark.parametrize(
    "path",
    [
        "/var/lib/fleetmfa",
        "/usr/local/libexec/fleetmfa",
        "/etc/fleetmfa",
        "/usr/local/libexec",
        "/usr/local/share/man/man1",
    ],
)
def test_nothing_is_left(root, path):
    shipped = path == "/usr/local/libexec" and "trixie" in root.file("/etc/os-release").content_string
    assert root.file(path).exists == shipped


def test_removing_again_changes_nothing(playbook):
    printed = playbook("fleetmfa.ssh.remove")
    changes = re.findall(r"changed=(\d+)", printed)
    assert changes and set(changes) == {"0"}, printed


def test_groups_are_gone(root):
    assert not root.group("mfa-enforced").exists and not root.group("mfa-security-key").exists


@pytest.mark.parametrize("user", ["alice", "seckey", "bob", "carol", "ops"])
def test_everybody_gets_in_by_key(server, user):
    attempt = login(server, user)
    assert attempt.allowed and not attempt.asked
