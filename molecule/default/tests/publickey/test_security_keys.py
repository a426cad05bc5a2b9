# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A user of mfa_security_keys, who has a validated TOTP key too: the security key lets the user in if it has verified its user."""

from __future__ import annotations

from lab.logins import login


def test_with_user_verification(with_security_key):
    attempt = with_security_key(verifies_user=True)
    assert attempt.allowed and attempt.output == "seckey" and not attempt.asked


def test_without_user_verification(with_security_key):
    attempt = with_security_key(verifies_user=False)
    assert not attempt.allowed and "Permission denied (publickey)" in attempt.output


def test_an_ordinary_key_in_the_home_directory(server, root):
    assert root.file("/home/seckey/.ssh/authorized_keys").size
    attempt = login(server, "seckey")
    assert not attempt.allowed and not attempt.asked


def test_group_and_file(root):
    assert "seckey" not in root.group("mfa-enforced").members and root.group("mfa-security-key").members == ["seckey"]
    file = root.file("/etc/fleetmfa/security_keys/seckey")
    assert file.mode == 0o644 and file.user == "root" and "a test" not in file.content_string


def test_the_neighbour_is_still_asked(server, keys):
    assert not login(server, "batch").allowed and login(server, "batch", ["no token"]).asked
