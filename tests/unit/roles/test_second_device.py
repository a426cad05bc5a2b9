# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Logins of a user with two devices: asked once, a token of either counts, and each token once. GUARD_ROUNDS: rounds of each race."""

from __future__ import annotations

import os
import shutil

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.second_keys import SecondKeys
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.state_dir import StateDir
from ansible_collections.fleetmfa.ssh.tests.support.guarded_host import SHELLS, step_with_time_left
from ansible_collections.fleetmfa.ssh.tests.support.token_lines import token_lines
from ansible_collections.fleetmfa.ssh.tests.support.two_device_host import TwoDeviceHost

ROUNDS = int(os.environ.get("GUARD_ROUNDS", "3"))
WRONG = "000000"
CODE = "12345678"
OTHER_UID = '{"uid": 20002}'


@pytest.fixture(params=SHELLS)
def two(tmp_path, request, need_pam):
    if not shutil.which(request.param):
        pytest.skip(f"needs {request.param}")
    return TwoDeviceHost(tmp_path, request.param)


def let_in(logins, answers) -> int:
    for login, answer in zip(logins, answers):
        login.answer(answer)
    return [login.succeeds() for login in logins].count(True)


def first_and_second(host) -> tuple[bool, bool]:
    """Whether a token of the first device lets in, and one of the second."""
    return host.answer(host.token()), host.answer(host.second_token())


def test_a_token_of_either_device_lets_in_once_at_the_only_prompt(two):
    assert first_and_second(two) == (True, True)
    assert first_and_second(two) == (False, False)
    assert not two.answer(WRONG)


def test_without_a_second_key_nothing_of_it_is_touched(two):
    two.second_path.unlink()
    assert first_and_second(two) == (True, False)
    assert " s" not in two.state.read_text() and "second" not in two.state.read_text()


def test_a_recovery_code_of_the_first_device_counts_once(two):
    two.write_key(codes=[CODE])
    assert two.answer(CODE) and not two.answer(CODE)


def test_the_same_moment_with_both_devices_and_many_connections(two):
    for _round in range(ROUNDS):
        two.secret, two.second_secret = os.urandom(20), os.urandom(20)
        two.write_key()
        two.write_second_key()
        logins = two.asked(8)
        assert len(logins) == 8
        got_in = let_in(logins, [two.token(), two.second_token()] * 4)
        # In doubt a login is refused, so it may be none: a wrong answer writes back a file that lacks the step of a right one.
        assert got_in <= 2
        assert got_in + sum(first_and_second(two)) <= 2


def test_both_devices_with_one_token_each(two):
    for _round in range(ROUNDS):
        two.step = step_with_time_left()
        two.secret, two.second_secret = os.urandom(20), os.urandom(20)
        two.write_key()
        two.write_second_key()
        got_in = let_in(two.asked(2), [two.token(), two.second_token()])
        assert got_in + sum(first_and_second(two)) <= 2
        assert (two.answer(two.token(1)), two.answer(two.second_token(1))) == (True, True), (
            "who was refused tries again"
        )


@pytest.mark.parametrize("device", ["first", "second"])
def test_one_token_of_either_device_on_eight_connections_lets_one_in(two, device):
    for _round in range(ROUNDS):
        two.secret, two.second_secret = os.urandom(20), os.urandom(20)
        two.write_key()
        two.write_second_key()
        token = two.token() if device == "first" else two.second_token()
        assert let_in(two.asked(8), [token] * 8) == 1


def test_a_wrong_answer_counts_once_though_two_keys_are_tried(two):
    two.write_key(rate_limit="3 30")
    two.write_second_key(rate_limit="3 30")
    assert not two.answer(WRONG) and not two.answer(WRONG)
    assert two.answer(two.second_token()), "the third attempt of three"
    assert not two.login().has_prompt(), "the fourth attempt must not be asked"


def test_logins_with_both_devices_count_towards_one_limit(two):
    two.write_key(rate_limit="2 30")
    two.write_second_key(rate_limit="2 30")
    assert first_and_second(two) == (True, True)
    assert not two.login().has_prompt()


def test_a_removed_second_device_is_refused_even_at_an_open_prompt(two):
    login = two.login()
    assert login.has_prompt()
    two.second_path.unlink()
    login.answer(two.second_token())
    assert not login.succeeds()
    assert first_and_second(two) == (True, False)


def test_a_second_device_does_not_stand_in_for_a_lost_first_key(two):
    two.key_path.unlink()
    login = two.login()
    assert not login.has_prompt() and not login.succeeds()


def test_a_second_device_does_not_count_beside_a_key_that_nobody_has(two):
    """A leaver's."""
    with two.key_path.open("a") as key:
        key.write('" FLEETMFA {"generation": 1, "locked": true, "uid": 20001}\n')
    assert not two.answer(two.second_token())


@pytest.mark.parametrize("meta", [OTHER_UID, ""])
def test_a_second_key_of_another_account_does_not_count(two, meta):
    two.write_second_key(meta=meta)
    assert first_and_second(two) == (True, not meta)


def test_one_key_on_both_devices_makes_no_two_tokens_of_one(two):
    two.write_second_key(secret=two.secret)
    assert two.answer(two.token()) and not two.answer(two.token())


@pytest.mark.parametrize("damage", ["mode", "garbage", "empty", "folder", "rate limit"])
def test_whatever_is_wrong_with_the_second_key_the_first_device_lets_in(two, damage):
    if damage == "mode":
        two.second_path.chmod(0o644)
    elif damage == "rate limit":
        two.write_second_key(rate_limit="nonsense")
    elif damage == "folder":
        two.second_path.unlink()
        two.second_path.mkdir()
    else:
        two.second_path.write_bytes(b"" if damage == "empty" else b"\x00\xff* ?\n" * 9)
    assert first_and_second(two) == (True, False)


def test_steps_of_a_key_that_was_added_during_a_login_let_nobody_in(two):
    """A validation burns two steps. A login with a token that has let in another one must not claim them."""
    two.second_path.unlink()
    assert two.run("attempt").returncode == 0
    two.write_second_key(used=[two.step - 1, two.step])
    assert two.run("claim").returncode


def test_a_login_under_another_spelling_takes_only_the_first_device(two):
    assert not two.answer(two.second_token(), name="ALICE")
    assert two.answer(two.token(), name="ALICE")
    assert two.run("attempt", PAM_USER="ALICE").returncode == 0
    asked = two.run("one-device", PAM_USER="ALICE")
    assert (asked.returncode, asked.stdout) == (0, "")


def test_what_the_user_is_shown_above_the_prompt(two):
    assert two.run("attempt").returncode == 0
    asked = two.run("one-device")
    assert asked.returncode and asked.stdout == "Verification code of either of your devices (not a password):\n"
    assert asked.stderr == ""
    lock = two.state.with_name(".alice.lock")
    lock.unlink()
    lock.mkdir()
    broken = two.run("one-device")
    assert broken.returncode and broken.stdout + broken.stderr == "", "pam_exec shows both to the user"


def test_a_claim_in_the_fleet_is_made_with_the_key_of_the_device(two):
    (two.folder / "claims.conf").write_text("unreachable = deny\n")
    program = two.folder / "totp-claim"
    program.write_text(f'#!/bin/sh\necho "$2 $3" >>{two.folder}/asked\n')
    program.chmod(0o755)
    assert first_and_second(two) == (True, True)
    wanted = [f"{path} {two.step}" for path in (two.key_path, two.second_path)]
    assert (two.folder / "asked").read_text().splitlines() == wanted


def test_a_token_lets_in_once_though_its_device_is_promoted_meanwhile(two):
    keys = SecondKeys(StateDir(str(two.folder)))
    for _round in range(3 * ROUNDS):
        two.step = step_with_time_left()
        two.secret, two.second_secret = os.urandom(20), os.urandom(20)
        two.write_key()
        two.write_second_key()
        logins = two.asked(4)
        for login in logins:
            login.answer(two.second_token())
        keys.become_first(two.user)
        got_in = [login.succeeds() for login in logins].count(True)
        assert not two.second_path.exists()
        assert got_in + two.answer(two.second_token()) <= 1
        assert not two.answer(two.token()), "the key of the lost device is dead"
        assert two.answer(two.second_token(1)) and not two.answer(two.second_token(1))


def test_without_the_setting_the_lines_are_those_for_one_device():
    lines = [line for line in token_lines("/p", "/s", second_device=False).splitlines() if line.startswith("auth")]
    assert [line.split()[-1] for line in lines[:4]] == ["attempt", "noskewadj", "1800", "claim"] and len(lines) == 10
    shared = token_lines("/p", "/s", own_service=False, second_device=False)
    assert "auth_err=7 " in shared and "second" not in shared
