# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""either: key and token, or password and token; never one factor alone, and never with the key mistaken for the
password."""

from __future__ import annotations

from lab.logins import client_options, login, run_client

PASSWORD = "correct horse"


def test_key_and_token(server, keys):
    attempt = login(server, "eikey", [keys["eikey"].token()])
    assert attempt.allowed and attempt.prompts == ["Verification code: "]


def test_password_and_token(server, keys):
    attempt = login(server, "eipass", [keys["eipass"].token(), PASSWORD], key=False)
    assert attempt.allowed and attempt.prompts == ["Verification code: ", "Password: "]


def test_token_alone(server, keys):
    attempt = login(server, "eitok", [keys["eitok"].token(), ""], key=False)
    assert not attempt.allowed and len(attempt.prompts) > 1


def test_key_alone(server):
    attempt = run_client(["ssh", *client_options(server), "-o", "BatchMode=yes", f"batch@{server.address}", "true"])
    assert not attempt.allowed


def test_key_and_password(server, keys):
    attempt = login(server, "eiwrong", [keys["eiwrong"].wrong_token(), PASSWORD])
    assert attempt.asked and not attempt.allowed


def test_a_client_cannot_claim_that_a_key_was_used(server, keys):
    claim = ["-o", "SetEnv=SSH_AUTH_INFO_0=publickey", "-o", "NumberOfPasswordPrompts=1"]
    options = client_options(server, key=False)
    attempt = run_client(["ssh", *options, *claim, f"eienv@{server.address}", "true"], [keys["eienv"].token()])
    assert not attempt.allowed
    assert any("assword" in prompt for prompt in attempt.prompts)


def test_pending_gets_in_by_key(server):
    attempt = login(server, "bob")
    assert attempt.allowed and not attempt.asked


def test_who_has_no_security_key_any_more_is_asked_again(server, keys, root, with_security_key):
    assert not with_security_key(verifies_user=True).allowed
    attempt = login(server, "seckey", [keys["seckey"].token()])
    assert attempt.allowed and attempt.prompts == ["Verification code: "]
    assert "seckey" in root.group("mfa-enforced").members and root.group("mfa-security-key").members == []
    assert not root.file("/etc/fleetmfa/security_keys").exists
