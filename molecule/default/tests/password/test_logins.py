# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""password+totp: both together, neither alone, regardless of how they are sent."""

from __future__ import annotations

import paramiko
import pytest

from lab.logins import login, transport_to

PASSWORD = "correct horse"


def test_password_and_token(server, keys):
    attempt = login(server, "passwd", [keys["passwd"].token(), PASSWORD], key=False)
    assert attempt.allowed and attempt.prompts == ["Verification code: ", "Password: "]


def test_token_alone(server, keys):
    attempt = login(server, "passwd", [keys["passwd"].token(), ""], key=False)
    assert not attempt.allowed and len(attempt.prompts) > 1


def test_password_alone(server, keys):
    attempt = login(server, "passwd", [keys["passwd"].wrong_token(), PASSWORD], key=False)
    assert not attempt.allowed


def test_password_method_is_disabled(server):
    with transport_to(server) as transport, pytest.raises(paramiko.BadAuthenticationType) as refused:
        transport.auth_password("passwd", PASSWORD, fallback=False)
    assert refused.value.allowed_types == ["keyboard-interactive"]


def test_key_alone(server):
    assert not login(server, "passwd").allowed


def test_pending_gets_in_by_key(server):
    attempt = login(server, "bob")
    assert attempt.allowed and not attempt.asked
