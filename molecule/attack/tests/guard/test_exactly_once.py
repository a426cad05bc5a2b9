# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Over real SSH: one token lets in one login, and open prompts do not bypass the limit."""

from __future__ import annotations

import os
from itertools import cycle

import pytest
from race import Race

ROUNDS = int(os.environ.get("ATTACK_ROUNDS", "8"))
GUESSES = int(os.environ.get("ATTACK_GUESSES", "60"))
RACERS = [f"racer{number}" for number in range(1, 9)]
WRONG = "000000"


@pytest.mark.parametrize(("connections", "rounds"), [(8, ROUNDS), (30, -(-ROUNDS // 4))])
def test_one_token_on_many_connections_lets_one_in(server, keys, connections, rounds):
    counts = []
    for user, _round in zip(cycle(RACERS), range(rounds)):
        race = Race(server, user, connections)
        assert race.asked == connections
        counts.append(race.answer([keys[user].token()]))
    assert max(counts) == 1
    assert counts.count(0) <= rounds / 10


def test_wrong_answers_in_the_same_moment_do_not_bring_a_recovery_code_back(server, keys):
    code = keys["spender"].recovery_codes[0]
    times_in = Race(server, "spender", 8).answer([code, WRONG])
    for _round in range(3):
        times_in += Race(server, "spender", 1).answer([code])
    assert times_in <= 1


def test_two_honest_logins_at_once(server, keys):
    """With a token and a recovery code: one gets in, the other at the latest when it tries again."""
    token, code = keys["pair"].token(), keys["pair"].recovery_codes[0]
    assert 1 <= Race(server, "pair", 2).answer([token, code]) <= 2
    assert Race(server, "pair", 1).answer([keys["pair"].token()]) == 1


def test_guesses_held_open_together_get_no_further_than_the_limit(server, root, keys):
    limit = '" RATE_LIMIT 3 3600'
    root.check_output(f"sed -i 's/^\" RATE_LIMIT .*/{limit}/' /var/lib/fleetmfa/keys/guesser")
    right = keys["guesser"].token()
    race = Race(server, "guesser", GUESSES)
    assert race.asked == 3
    assert race.answer([WRONG]) == 0
    assert Race(server, "guesser", 1).answer([right]) == 0
    refused = root.check_output("journalctl --quiet --no-pager --identifier totp-guard")
    assert refused.count("refused guesser from ") == GUESSES - 3 + 1
    assert right not in refused


def test_without_the_place_for_its_records_nobody_enforced_gets_in(server, root, keys):
    token = keys["spender"].token()
    root.check_output("mv /var/lib/fleetmfa/guard /var/lib/fleetmfa/gone")
    try:
        assert Race(server, "spender", 1).answer([token]) == 0
    finally:
        root.check_output("mv /var/lib/fleetmfa/gone /var/lib/fleetmfa/guard")
    assert Race(server, "spender", 1).answer([token]) == 1
