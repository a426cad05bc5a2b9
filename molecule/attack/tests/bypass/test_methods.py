# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Other methods, other orders, other answers, other spellings of the name: none of them gets in without the token."""

from __future__ import annotations

import pytest
from handshake import handshake

from lab.logins import login

ANSWERS = {
    "empty": [""],
    "none": [],
    "too many": ["", ""],
    "zeros": ["000000"],
    "zeros like a recovery code": ["00000000"],
    "endless": ["0" * 4000],
    "with a NUL": ["\0"],
    "with a line break": ["000000\n"],
}
SPELLINGS = [
    "{}:pam",
    "{}:none",
    "{}:",
    "{}/",
    "{}/root",
    "./{}",
    "{} ",
    " {}",
    "{}\n",
    "{}\0",
    "{}\0root",
    "{}@localhost",
    "\\{}",
]


def test_the_attacker_does_have_the_password(mark):
    mark.root.run_expect([0], f"echo '{mark.password}' | runuser -u nobody -- su {mark.name} -c true")


@pytest.mark.parametrize("key_first", [False, True], ids=["alone", "after the key"])
def test_password(mark, key_first):
    with handshake(mark.server) as attempt:
        assert not (key_first and attempt.publickey(mark.name))
        assert not attempt.password(mark.name, mark.password)


def test_right_token_without_the_key(mark):
    with handshake(mark.server) as attempt:
        assert not attempt.interactive(mark.name, [mark.key.token()])
        assert not attempt.password(mark.name, mark.password)


def test_key_given_twice(mark):
    with handshake(mark.server) as attempt:
        assert not attempt.publickey(mark.name)
        assert not attempt.publickey(mark.name)


@pytest.mark.parametrize("answers", ANSWERS.values(), ids=ANSWERS)
def test_answer(mark, answers):
    with handshake(mark.server) as attempt:
        assert not attempt.publickey(mark.name)
        assert not attempt.interactive(mark.name, answers)
        assert attempt.prompts == ["Verification code: "]


def test_password_in_place_of_the_token(mark):
    with handshake(mark.server) as attempt:
        attempt.publickey(mark.name)
        assert not attempt.interactive(mark.name, [mark.password])
        assert attempt.prompts == ["Verification code: "]


def test_other_devices_of_keyboard_interactive(mark):
    for devices in ("bsdauth", "skey", "none", "pam,bsdauth"):
        with handshake(mark.server) as attempt:
            attempt.publickey(mark.name)
            assert not attempt.interactive(mark.name, [mark.password], devices), devices


def test_token_of_another_user(mark, another):
    with handshake(mark.server) as attempt:
        attempt.publickey(mark.name)
        assert not attempt.interactive(mark.name, [another.key.token()])
        assert attempt.prompts == ["Verification code: "]


def test_other_user_between_key_and_token(mark, another):
    token = another.key.token()
    for first, second in ((mark, another), (another, mark)):
        with handshake(mark.server) as attempt:
            attempt.publickey(first.name)
            assert not attempt.interactive(second.name, [token])


def test_spellings_of_the_name(mark):
    for spelling in SPELLINGS:
        name = spelling.format(mark.name)
        assert not login(mark.server, name, [""]).allowed, name


def test_case_of_the_name(mark):
    for name in (mark.name.upper(), mark.name.capitalize()):
        assert not login(mark.server, name, [""]).allowed, name
