# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.key_file import KeyFile, KeySettings
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.state_dir import StateDir
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.totp import decode_secret, step_at, token_at
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.two_tokens import (
    TokenRefused,
    Validation,
    check_first,
    drift_seconds,
    validate,
    wait_seconds,
)

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
NOW = 1_700_000_020.0
STEP = step_at(NOW)


def token(offset):
    return token_at(decode_secret(SECRET), STEP + offset)


def wrong(number=0):
    """A token of none of the steps within an hour."""
    right = {token(offset) for offset in range(-120, 121)}
    return [f"{n:06}" for n in range(2000) if f"{n:06}" not in right][number]


def give(state_dir, now=1000, **settings):
    with state_dir.lock():
        state_dir.prepare()
        key = KeyFile.create(SECRET, KeySettings(**settings), "Example", "alice", ["10000001"], now)
        state_dir.save_pending("alice", key)


@pytest.fixture
def state_dir(tmp_path):
    state_dir = StateDir(str(tmp_path / "state"))
    give(state_dir)
    return state_dir


def refused(state_dir, first, second, now=NOW):
    before = state_dir.validated("alice")
    with pytest.raises(TokenRefused) as caught:
        validate(state_dir, "alice", first, second, now)
    assert state_dir.validated("alice") == before
    assert token(0) not in str(caught.value) + repr(caught.value)
    return caught.value


def tries(state_dir):
    return len(state_dir.pending("alice").meta_numbers("tries"))


@pytest.mark.parametrize(
    ("first", "second", "drift"), [(-1, 0, 0), (0, 1, 20), (-2, -1, -11), (-10, 0, 0), (-9, 1, 20), (-11, -1, -11)]
)
def test_two_tokens_validate(state_dir, first, second, drift):
    result = validate(state_dir, "alice", token(first), token(second), NOW)
    assert result == Validation(STEP + first, STEP + second, drift)
    assert state_dir.pending("alice") is None
    key = state_dir.validated("alice")
    assert key.used_steps == [STEP + first, STEP + second]
    assert (key.since, key.last_login) == (int(NOW), None)
    assert key.meta["drift_seconds"] == drift


def test_blanks_as_apps_show_them(state_dir):
    assert validate(state_dir, "alice", f"{token(-1)[:3]} {token(-1)[3:]}", f" {token(0)}\n", NOW)


@pytest.mark.parametrize(
    ("first", "second", "reason", "seconds"),
    [
        (0, 0, "same_step", 0),
        (0, -1, "order", 0),
        (-12, -1, "too_far_apart", 0),
        (0, 2, "clock_off", 50),
        (-3, -2, "clock_off", -41),
        (-20, -18, "clock_off", -521),
        (17, 19, "clock_off", 560),
    ],
)
def test_what_is_told_when_both_tokens_belong_to_the_key(state_dir, first, second, reason, seconds):
    error = refused(state_dir, token(first), token(second))
    assert (error.reason, error.seconds) == (reason, seconds)
    assert tries(state_dir) == 0


def test_wrong_is_one_answer_for_every_way_to_be_wrong(state_dir):
    ways = [
        (wrong(), wrong(1)),
        (token(-1), wrong()),
        (wrong(), token(0)),
        (token(-1), token(25)),
        (token(-60), token(0)),
    ]
    told = {(error.reason, str(error), error.seconds) for error in (refused(state_dir, *way) for way in ways)}
    assert len(told) == 1
    assert told.pop()[0] == "wrong"
    assert tries(state_dir) == 5


@pytest.mark.parametrize(
    "text",
    [
        "",
        "12345",
        "1234567",
        "12345a",
        "10000001",
        "\u0661\u0661\u0661\u0661\u0661\u0661",
        "-12345",
        "\0" * 6,
        "9" * 10**6,
    ],
)
def test_what_is_no_token_is_not_a_try(state_dir, text):
    assert refused(state_dir, text, token(0)).reason == "malformed"
    assert refused(state_dir, token(0), text).reason == "malformed"
    assert tries(state_dir) == 0


def test_used_steps_do_not_validate_again(state_dir):
    validate(state_dir, "alice", token(-1), token(0), NOW)
    key = state_dir.validated("alice")
    state_dir.save_pending("alice", key)  # demoted
    assert refused(state_dir, token(-1), token(0)).reason == "already_used"
    assert refused(state_dir, token(0), token(1)).reason == "already_used"
    with pytest.raises(TokenRefused) as caught:
        check_first(state_dir, "alice", token(0), NOW)
    assert caught.value.reason == "already_used"
    assert validate(state_dir, "alice", token(1), token(2), NOW + 30)


def test_no_pending_key(state_dir):
    state_dir.remove_pending("alice")
    assert refused(state_dir, token(-1), token(0)).reason == "no_pending_key"


def test_a_malformed_pending_key_is_said_not_crashed_on(state_dir):
    state_dir.save_pending("alice", KeyFile.parse(b"broken!\n"))
    with pytest.raises(FleetMfaError, match="malformed"):
        validate(state_dir, "alice", token(-1), token(0), NOW)


def test_after_five_wrong_tries_none_is_checked_for_ten_minutes(state_dir):
    for number in range(5):
        assert refused(state_dir, wrong(number), wrong(9), NOW + number).reason == "wrong"
    for right in (token(-1), wrong()):
        error = refused(state_dir, right, token(0), NOW + 10)
        assert (error.reason, error.seconds) == ("too_many_tries", 594)
    with pytest.raises(TokenRefused, match="too many"):
        check_first(state_dir, "alice", token(0), NOW + 10)
    late = int(NOW) + 4 + 600
    first, second = (token_at(decode_secret(SECRET), step_at(late) + offset) for offset in (-1, 0))
    assert refused(state_dir, first, second, late - 1).reason == "too_many_tries"
    assert validate(state_dir, "alice", first, second, late)
    assert "tries" not in state_dir.validated("alice").meta


def test_slow_tries_are_not_blocked_and_tries_of_the_future_are_left_out(state_dir):
    for number in range(20):
        assert refused(state_dir, wrong(number), wrong(30), NOW + 151 * number).reason == "wrong"
    assert tries(state_dir) == 5
    for number in range(20):
        state_dir.save_pending("alice", state_dir.pending("alice").with_meta(tries=[int(NOW) + 10**6] * 5))
        assert refused(state_dir, wrong(number), wrong(30), NOW).reason == "wrong"


def test_tries_survive_a_change_of_settings(state_dir):
    refused(state_dir, wrong(), wrong(1))
    state_dir.save_pending("alice", state_dir.pending("alice").merged(KeySettings(5), "Corp", "alice"))
    assert tries(state_dir) == 1


def test_first_token_alone(state_dir):
    assert check_first(state_dir, "alice", token(-1), NOW) == STEP - 1
    assert check_first(state_dir, "alice", token(15), NOW) == STEP + 15, "the clock can be told with the second"
    assert tries(state_dir) == 0
    for bad in (wrong(), token(25)):
        with pytest.raises(TokenRefused) as caught:
            check_first(state_dir, "alice", bad, NOW)
        assert caught.value.reason == "wrong"
    assert tries(state_dir) == 2


def test_the_second_token_has_to_be_one_that_the_pam_module_takes(state_dir):
    give(state_dir, window=1)
    assert refused(state_dir, token(-2), token(-1)).reason == "clock_off"
    give(state_dir, window=60)
    assert validate(state_dir, "alice", token(28), token(29), NOW)


@pytest.mark.parametrize(("step", "drift"), [(STEP, 0), (STEP + 1, 20), (STEP - 1, -11), (STEP - 2, -41)])
def test_drift_is_the_least_that_explains_the_token(step, drift):
    assert NOW % 30 == 10
    assert drift_seconds(step, NOW, 30) == drift


def test_200_parallel_guesses_are_counted_all(state_dir):
    """Each has a lock of its own, as processes have; whatever the order, five are judged and no more."""
    answers = []
    start = threading.Barrier(200)

    def guess(number):
        own = StateDir(state_dir.path)
        start.wait()
        try:
            validate(own, "alice", wrong(number), wrong(300 + number), NOW)
        except TokenRefused as error:
            answers.append(error.reason)

    threads = [threading.Thread(target=guess, args=(number,)) for number in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == ["too_many_tries"] * 195 + ["wrong"] * 5
    assert tries(state_dir) == 5
    assert refused(state_dir, token(-1), token(0)).reason == "too_many_tries"


def test_an_answer_is_on_disk_before_it_is_given(state_dir):
    """Killed the moment it says `wrong`, a guessing program has used up a try all the same."""
    program = (
        "import os, signal, sys\n"
        "from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.state_dir import StateDir\n"
        "from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys import two_tokens\n"
        "class Killed(two_tokens.TokenRefused):\n"
        "    def __init__(self, *arguments):\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "two_tokens.TokenRefused = Killed\n"
        "two_tokens.validate(StateDir(sys.argv[1]), 'alice', sys.argv[2], sys.argv[3], float(sys.argv[4]))\n"
    )
    for expected in range(1, 4):
        done = subprocess.run([sys.executable, "-c", program, state_dir.path, wrong(), wrong(1), str(NOW)], check=False)
        assert done.returncode == -9
        assert tries(state_dir) == expected


@pytest.mark.parametrize("period", [15, 30, 60])
def test_a_validated_user_can_log_in_and_the_two_tokens_cannot(tmp_path, pam_login, period):
    state_dir = StateDir(str(tmp_path / "state"))
    with state_dir.lock():
        state_dir.prepare()
        key = KeyFile.create(SECRET, KeySettings(rate_limit_attempts=100), "Example", "alice", [], 1000, period)
        state_dir.save_pending("alice", key)
    while time.time() % period > period - 1:
        time.sleep(0.1)
    now = time.time()
    first, second, third = (token_at(decode_secret(SECRET), step_at(now, period) + offset) for offset in (-1, 0, 1))
    assert not pam_login("alice", second), "pending"
    validate(state_dir, "alice", first, second, now)
    assert not pam_login("alice", first)
    assert not pam_login("alice", second)
    assert pam_login("alice", third)


def test_seconds_to_wait(state_dir):
    assert wait_seconds(state_dir.pending("alice"), NOW) == 0
