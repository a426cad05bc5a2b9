# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Logins never outnumber tokens, whatever is sent at the same moment. GUARD_ROUNDS says how often each race is run."""

from __future__ import annotations

import os
import time

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.guard_claims import claim_step, last_login

ROUNDS = int(os.environ.get("GUARD_ROUNDS", "3"))
CODES = ["12345678", "23456789", "34567890"]
WRONG = "000000"


def let_in(logins, answers) -> int:
    for login, answer in zip(logins, answers):
        login.answer(answer)
    return [login.succeeds() for login in logins].count(True)


def fresh_key(host, **values):
    host.secret = os.urandom(20)
    host.write_key(**values)


@pytest.mark.parametrize("connections", [8, 30])
def test_one_token_on_many_connections_lets_one_in(host, connections):
    for _round in range(ROUNDS):
        fresh_key(host)
        logins = host.asked(connections)
        assert len(logins) == connections
        assert let_in(logins, [host.token()] * connections) == 1


def test_without_the_guard_the_same_race_lets_several_in(host):
    """Else the test above would show nothing."""
    host.write_service(guarded=False)
    most = 0
    for _round in range(20):
        fresh_key(host)
        most = max(most, let_in(host.asked(8), [host.token()] * 8))
        if most > 1:
            return
    pytest.fail("the module was atomic in 20 rounds")


@pytest.mark.parametrize("answer", ["token", "recovery code"])
def test_the_last_login_is_recorded(host, answer):
    fresh_key(host, codes=CODES)
    before = int(time.time())
    assert not host.answer(WRONG) and last_login(host.state.parent, host.user) is None
    assert host.answer(host.token() if answer == "token" else CODES[0])
    when = last_login(host.state.parent, host.user)
    assert before <= when <= time.time()
    assert not host.answer(WRONG) and last_login(host.state.parent, host.user) == when


def test_one_recovery_code_on_many_connections_lets_one_in(host):
    for _round in range(ROUNDS):
        fresh_key(host, codes=CODES)
        assert let_in(host.asked(8), [CODES[1]] * 8) == 1


@pytest.mark.parametrize("kind", ["token", "recovery code"])
def test_wrong_answers_in_the_same_moment_bring_nothing_back(host, kind):
    """A wrong answer writes the key file as it was before the right one: the module then takes the token a second time."""
    for _round in range(ROUNDS):
        fresh_key(host, codes=CODES)
        right = host.token() if kind == "token" else CODES[0]
        times_in = let_in(host.asked(8), [right] + [WRONG] * 7)
        times_in += [host.answer(right) for _round in range(3)].count(True)
        assert times_in <= 1


def test_a_claimed_token_stays_claimed_when_the_key_file_forgets_it(host):
    token = host.token()
    before = host.key_path.read_text()
    assert host.answer(token)
    host.key_path.write_text(before)
    assert not host.answer(token)


def test_a_claimed_recovery_code_stays_claimed_when_the_key_file_comes_back(host):
    host.write_key(codes=CODES)
    before = host.key_path.read_text()
    assert host.answer(CODES[2])
    host.key_path.write_text(before)
    assert not host.answer(CODES[2])
    assert host.answer(CODES[0])


def test_steps_used_up_without_a_login_are_nobodys(host):
    """Validation by two tokens leaves both steps in the key file as used."""
    for _round in range(ROUNDS):
        fresh_key(host, used=(host.step - 1, host.step + 1))
        assert let_in(host.asked(8), [host.token()] * 8) == 1


def test_two_honest_logins_at_once(host):
    """With two tokens, or a token and a recovery code, at least one gets in; the other may have to try again."""
    for _round in range(ROUNDS):
        fresh_key(host, codes=CODES)
        assert 1 <= let_in(host.asked(2), [host.token(), host.token(-1)]) <= 2
        fresh_key(host, codes=CODES)
        assert 1 <= let_in(host.asked(2), [host.token(), CODES[0]]) <= 2


def test_one_after_another_every_token_and_code_counts(host):
    host.write_key(codes=CODES)
    assert all([host.answer(host.token(-1)), host.answer(CODES[1]), host.answer(host.token()), host.answer(CODES[2])])
    assert not any([host.answer(host.token(-1)), host.answer(CODES[1]), host.answer(host.token())])


def test_new_codes_and_a_new_key_work_at_once(host):
    host.write_key(codes=CODES[:1])
    assert host.answer(CODES[0])
    host.write_key(codes=CODES[1:])
    assert host.answer(CODES[1])
    fresh_key(host, codes=["98765432"])
    assert host.answer(host.token())
    assert host.answer("98765432")


def test_a_claim_needs_an_attempt_of_the_same_login(host):
    assert host.run("attempt").returncode == 0
    host.write_key(used=(host.step,))
    assert host.run("claim").returncode == 1


def test_an_attempt_lets_one_login_in(host):
    assert host.run("attempt").returncode == 0
    host.write_key_without_forgetting(used=(host.step, host.step + 1))
    assert [host.run("claim").returncode for _round in range(2)] == [0, 1]


def test_the_attempt_of_another_login_does_not_do(host):
    assert host.login().has_prompt()
    host.write_key_without_forgetting(used=(host.step,))
    assert host.run("claim").returncode == 1


def test_a_prompt_opened_before_the_key_was_replaced_cannot_claim(host):
    login = host.login()
    assert login.has_prompt()
    host.write_key(used=(host.step - 1,))
    login.answer(host.token())
    assert not login.succeeds()


def test_a_token_that_has_given_recovery_codes_lets_nobody_in(host):
    login = host.login()
    assert login.has_prompt()
    assert claim_step(str(host.state.parent), host.user, host.step)
    login.answer(host.token())
    assert not login.succeeds()
    assert not claim_step(str(host.state.parent), host.user, host.step)
    assert host.answer(host.token(1))
