# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The key file as the real PAM module reads and rewrites it."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.key_file import KeyFile, KeySettings
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.state_dir import StateDir
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.totp import decode_secret, step_at, token_at

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
CODES = ["10000001", "99999999", "55555555"]
SETTINGS = KeySettings(window=3, rate_limit_attempts=100, rate_limit_seconds=30)


@pytest.fixture
def state_dir(tmp_path):
    state_dir = StateDir(str(tmp_path / "state"))
    with state_dir.lock():
        state_dir.prepare()
    return state_dir


@pytest.fixture
def give(state_dir):
    """give(user, **changes of the settings) -> puts a validated key there and returns it."""

    def put(user="alice", codes=tuple(CODES), issuer="Example", period=30, **settings):
        key = KeyFile.create(SECRET, SETTINGS._replace(**settings), issuer, user, codes, 1000, period)
        with state_dir.lock():
            state_dir.converge_validated(user, lambda current: current or key)
        return key

    return put


def token(offset=0, period=30):
    """The token `offset` steps from now; never so near the end of a step that it may pass meanwhile."""
    while time.time() % period > period - 1:
        time.sleep(0.1)
    return token_at(decode_secret(SECRET), step_at(time.time(), period) + offset)


def append(state_dir, text):
    with Path(state_dir.path, "keys", "alice").open("ab") as handle:
        handle.write(text.encode())


def test_token_logs_in_once(give, pam_login):
    give()
    current = token()
    assert pam_login("alice", current)
    assert pam_login.asked
    assert not pam_login("alice", current)
    assert not pam_login("alice", "000000")


def test_our_metadata_and_the_codes_behind_it_survive_the_rewrite(give, state_dir, pam_login):
    issuer = 'Ex"\\ample " TOTP_AUTH\u00fc \u2603 12345678'
    given = give(issuer=issuer)
    assert b'\n" FLEETMFA {' in given.render()
    assert pam_login("alice", token())
    after = state_dir.validated("alice")
    assert after.meta == given.meta
    assert after.issuer == issuer
    assert after.recovery_codes == CODES
    assert len(after.used_steps) == 1
    assert len(after.attempts) == 1
    for left, code in enumerate(CODES):
        assert pam_login("alice", code), left
        assert not pam_login("alice", code)
        assert state_dir.validated("alice").recovery_codes == CODES[left + 1 :]
    assert state_dir.validated("alice").meta == given.meta


def test_a_merge_after_logins_changes_nothing(give, state_dir, pam_login):
    give()
    assert pam_login("alice", token())
    assert pam_login("alice", CODES[1])
    after = state_dir.validated("alice")
    assert after.merged(SETTINGS, "Example", "alice") == after
    assert state_dir.access_problem("keys", "alice") is None
    assert os.stat(f"{state_dir.path}/keys/alice").st_mode & 0o777 == 0o400


def test_a_changed_setting_keeps_used_tokens_and_spent_codes(give, state_dir, pam_login):
    give()
    current = token()
    assert pam_login("alice", current)
    assert pam_login("alice", CODES[0])
    with state_dir.lock():
        state_dir.converge_validated(
            "alice", lambda key: key.merged(KeySettings(5, 99, 60), "Example Corp", "alice@example")
        )
    merged = state_dir.validated("alice")
    assert (merged.window, merged.rate_limit, merged.issuer) == (5, (99, 60), "Example Corp")
    assert len(merged.attempts) == 2
    assert not pam_login("alice", current)
    assert not pam_login("alice", CODES[0])
    assert pam_login("alice", token(1))


@pytest.mark.parametrize("window", [1, 2, 3, 4, 17])
def test_accepted_steps_are_those_of_the_pam_module(give, state_dir, pam_login, window):
    give(window=window)
    accepted = state_dir.validated("alice").accepted_steps(time.time())
    current = step_at(time.time())
    offsets = [step - current for step in accepted]
    assert offsets == list(range(-((window - 1) // 2), window // 2 + 1))
    assert not pam_login("alice", token(offsets[0] - 1))
    assert not pam_login("alice", token(offsets[-1] + 1))
    assert pam_login("alice", token(offsets[0]))
    if window > 1:
        assert pam_login("alice", token(offsets[-1]))


def test_a_learnt_skew_shifts_the_window_although_noskewadj_is_set(give, state_dir, pam_login):
    give()
    append(state_dir, '" TIME_SKEW 10\n')
    key = state_dir.validated("alice")
    assert key.accepted_steps(time.time())[1] == step_at(time.time()) + 10
    assert any("TIME_SKEW" in problem.text for problem in key.problems)
    assert not pam_login("alice", token())
    assert pam_login("alice", token(10))


def test_burnt_steps_do_not_log_in(give, state_dir, pam_login):
    give()
    step = step_at(time.time())
    with state_dir.lock():
        state_dir.converge_validated("alice", lambda key: key.with_burnt([step - 1, step]))
    assert not pam_login("alice", token_at(decode_secret(SECRET), step))
    assert not pam_login("alice", token_at(decode_secret(SECRET), step - 1))
    assert pam_login("alice", token_at(decode_secret(SECRET), step + 1))


def test_a_wider_window_does_not_revive_used_tokens(give, state_dir, pam_login):
    """The PAM module forgets a used step once its window has moved on; a wider window would cover it again."""
    give()
    step = step_at(time.time())
    key = state_dir.validated("alice").with_burnt([step])  # what is left of a login 4 steps ago and one now
    with state_dir.lock():
        state_dir.converge_validated(
            "alice", lambda _current: key.merged(SETTINGS._replace(window=17), "Example", "alice")
        )
    assert not pam_login("alice", token_at(decode_secret(SECRET), step - 4))
    assert pam_login("alice", token_at(decode_secret(SECRET), step + 1))


def test_rate_limited_until_is_when_the_pam_module_takes_the_next_attempt(give, state_dir, pam_login):
    give(rate_limit_attempts=2, rate_limit_seconds=10)
    assert not pam_login("alice", "000000")
    assert state_dir.validated("alice").rate_limited_until(time.time()) is None
    assert not pam_login("alice", "000000")
    until = state_dir.validated("alice").rate_limited_until(time.time())
    assert 0 < until - time.time() <= 11
    assert not pam_login("alice", token())
    assert not pam_login.asked
    # time(3), which the PAM module reads, lags behind time.time() by some milliseconds.
    time.sleep(max(0, state_dir.validated("alice").rate_limited_until(time.time()) - time.time()) + 0.1)
    assert pam_login("alice", token())


def test_last_login_is_the_step_of_the_token(give, state_dir, pam_login):
    give()
    step = step_at(time.time())
    with state_dir.lock():
        state_dir.converge_validated("alice", lambda key: key.with_burnt([step + 1]))
    assert state_dir.validated("alice").last_login is None
    assert pam_login("alice", token())
    assert 0 <= time.time() - state_dir.validated("alice").last_login < 60


@pytest.mark.parametrize("period", [15, 60])
def test_another_period(give, pam_login, period):
    give(period=period)
    assert pam_login("alice", token(period=period))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda text: text.replace('" TOTP_AUTH\n', ""), "TOTP_AUTH"),
        (lambda text: text.replace('" WINDOW_SIZE 5', '" WINDOW_SIZE 101'), "WINDOW_SIZE"),
        (lambda text: text.replace('" STEP_SIZE 30', '" STEP_SIZE 61'), "STEP_SIZE"),
        (lambda text: text.replace('" RATE_LIMIT 100 30', '" RATE_LIMIT 100'), "RATE_LIMIT"),
        (lambda text: text.replace('" RATE_LIMIT 100 30', '" RATE_LIMIT 100 30 x'), "RATE_LIMIT"),
        (lambda text: text.replace('" DISALLOW_REUSE', '" DISALLOW_REUSE x'), "DISALLOW_REUSE"),
        (lambda text: text + '" HOTP_COUNTER 1\n', "HOTP_COUNTER"),
        (lambda text: text.replace(SECRET, SECRET + "="), "line 1"),
        (lambda text: text.replace(SECRET, SECRET[:-1] + "9"), "line 1"),
        (lambda text: text + "\0", "NUL"),
        (lambda text: text + "1" * 65536, "65536"),
    ],
)
def test_what_denies_every_login_is_a_problem(give, state_dir, pam_login, spoil, said):
    give(window=5)
    path = Path(state_dir.path, "keys", "alice")
    path.write_text(spoil(path.read_text()))
    problems = state_dir.validated("alice").problems
    assert any(said in problem.text and problem.kind == "denied" for problem in problems), problems
    assert SECRET[:8] not in str(problems)
    assert not pam_login("alice", token())


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o440, 0o644, 0o700])
def test_access_problem_says_what_the_pam_module_refuses(give, state_dir, pam_login, mode):
    give()
    os.chmod(f"{state_dir.path}/keys/alice", mode)
    accepted = state_dir.access_problem("keys", "alice") is None
    assert accepted == (mode in (0o600, 0o400))
    assert pam_login("alice", token()) == accepted


@pytest.mark.parametrize("dead", ["1234567", "12345678 ", "x", '" 1234567"'])
def test_codes_below_a_malformed_line_are_dead(give, state_dir, pam_login, dead):
    give(codes=[])
    append(state_dir, f"20000001\n{dead}\n30000001\n")
    key = state_dir.validated("alice")
    assert pam_login("alice", "30000001") == ("30000001" in key.recovery_codes)
    assert pam_login("alice", "20000001")
    assert "20000001" in key.recovery_codes


@pytest.mark.parametrize("line", [" 20000001", "+20000001", "0020000001", "20000001\r"])
def test_unusual_codes_that_the_pam_module_takes(give, state_dir, pam_login, line):
    give(codes=[])
    append(state_dir, f"{line}\n")
    assert state_dir.validated("alice").recovery_codes == ["20000001"]
    assert pam_login("alice", "20000001")


def test_a_write_while_the_prompt_is_open_denies_that_login_and_loses_nothing(give, state_dir, pam_login):
    give()

    def widen():
        with state_dir.lock():
            state_dir.converge_validated(
                "alice", lambda key: key.merged(SETTINGS._replace(window=5), "Example", "alice")
            )

    current = token()
    assert not pam_login("alice", current, before_answer=widen)
    assert state_dir.validated("alice").window == 5
    assert pam_login("alice", current)


def test_names_that_expand_to_their_own_file_only(give, state_dir, pam_login):
    for user in ("user@domain", "DOMAIN\\user", "a$b", "${USER}x", "with blank", "j\u00fcrgen"):
        give(user)
        assert pam_login(user, token()), user
    assert not pam_login("nobody-else", token())
