# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What each prompt of ssh, sshd and PAM asks for, and what it does not."""

from __future__ import annotations

import threading

import pytest

from ansible_collections.fleetmfa.ssh.plugins.connection.ssh_totp import DOCUMENTATION
from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._ssh_totp.answers import (
    PromptAnswers,
    TokenSource,
    jump_command,
)
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._ssh_totp.prompts import (
    PromptKind,
    PromptRules,
    shown,
    token_pattern,
)

yaml = pytest.importorskip("yaml")
PATTERN = token_pattern(yaml.safe_load(DOCUMENTATION)["options"]["totp_prompt"]["default"])
RULES = PromptRules(PATTERN, "assword")


@pytest.mark.parametrize(
    ("prompt", "kind"),
    [
        ("(alice@web1) Verification code: ", PromptKind.TOKEN),
        ("Verification code: ", PromptKind.TOKEN),
        ("(alice@web1) Verification code of either of your devices (not a password):\nPassword: ", PromptKind.TOKEN),
        ("One-time password (OATH) for `alice': ", PromptKind.TOKEN),
        ("(alice@web1) Password: ", PromptKind.PASSWORD),
        ("alice@web1's password: ", PromptKind.PASSWORD),
        ("(token@otp) Password: ", PromptKind.PASSWORD),
        ("Enter passphrase for key '/home/alice/.ssh/id_ed25519': ", PromptKind.UNKNOWN),
        ("(alice@web1) Favourite colour: ", PromptKind.UNKNOWN),
        ("", PromptKind.UNKNOWN),
        (
            "The authenticity of host 'token (192.0.2.1)' can't be established.\nAre you sure you want to continue "
            "connecting (yes/no/[fingerprint])? ",
            PromptKind.HOST_KEY,
        ),
        ("Please type 'yes', 'no' or the fingerprint: ", PromptKind.HOST_KEY),
    ],
)
def test_kinds(prompt, kind):
    assert RULES.kind_of(prompt) is kind


def answers(password=None):
    source = TokenSource(lambda: None, lambda: "123456")
    return PromptAnswers(RULES, password, lambda _jump: source, lambda _jump: None, lambda _text: None)


def test_one_token_for_each_host_of_a_login():
    asked, stopped = answers(), threading.Event()
    jump = ["ssh", "-l", "alice", "-W", "[web1]:22", "--", "jump"]
    assert asked("Verification code: ", jump, stopped) == "123456" and not asked.asked
    assert asked("Verification code: ", ["ssh", "web1"], stopped) == "123456" and asked.asked
    assert asked("Verification code: ", ["ssh", "web1"], stopped) is None and "second token" in asked.refusal


def test_token_is_never_given_as_a_password():
    asked = answers()
    assert asked("alice@web1's password: ", [], threading.Event()) is None
    assert "ansible_password is not set" in asked.refusal


def test_host_key_question_is_answered_no():
    assert answers(password="yes")("continue connecting (yes/no)? ", [], threading.Event()) == "no"


def test_jump_host_is_the_same_for_each_host_behind_it():
    commands = [["ssh", "-p", "22", "-W", f"[{host}]:22", "jump"] for host in ("web1", "web2")]
    assert jump_command(commands[0]) == jump_command(commands[1]) == ["ssh", "-p", "22", "jump"]
    assert jump_command(["ssh", "web1", "true"]) is None


def test_prompt_in_a_message_is_one_printable_line():
    assert shown("a\x1b[31m\r\nb" + "c" * 500).isprintable() and len(shown("c" * 500)) == 200


def test_pattern_that_is_none():
    with pytest.raises(FleetMfaError, match="totp_prompt: is no regular expression"):
        token_pattern("(")
