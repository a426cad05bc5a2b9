# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The controller dies at random points of `sync`: nobody is locked out, nothing is lost, the next run heals."""

from __future__ import annotations

import os
import random
import time
from collections import defaultdict

import pytest
from conftest import NAMES, STEP, fresh_token

ROUNDS = int(os.environ.get("POWER_CUT_ROUNDS", "0"))
USERS = [f"cut{number:02d}" for number in range(1, 17)][:ROUNDS]
# Every line is a place (keys, pending or enforced), a user there, and the user's secret if the place has one.
WHERE = """
cd /var/lib/fleetmfa
for one in keys/* pending/*; do test -e "$one" && echo "${one%%/*} ${one##*/} $(head -1 "$one")"; done
for one in $(getent group mfa-enforced | cut -d: -f4 | tr , ' '); do echo "enforced $one"; done
"""


def places(fleet, name) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for line in fleet.root(name, WHERE).splitlines():
        place, user, *secret = line.split()
        if user in USERS:
            found[place][user] = "".join(secret)
    return found


def unexplained(fleet, phones) -> list[tuple]:
    """Who has, or is asked for, another key than the one on the phone; and who is in a store without having one."""
    found: list[tuple] = []
    for name in NAMES:
        now = places(fleet, name)
        found += [(name, user, "key") for user, key in now["keys"].items() if key != phones[user].secret]
        found += [(name, user, "asked without a key") for user in now["enforced"] if user not in now["keys"]]
    stored = fleet.records() if fleet.store.exists() else {}
    for user in set(stored) & set(USERS):
        known = [key["secret"] for key in stored[user]["keys"]]
        found += [("store", user, "key")] if known != [phones[user].secret] else []
    return found


@pytest.mark.skipif(ROUNDS == 0, reason="takes long: POWER_CUT_ROUNDS, set by make check-release")
def test_power_cuts(fleet, gets_in, not_asked):
    seed = int(os.environ.get("POWER_CUT_SEED", random.SystemRandom().getrandbits(32)))
    print(f"POWER_CUT_SEED={seed}")  # shown if the test fails
    chance = random.Random(seed)
    started = time.monotonic()
    assert fleet.sync().succeeded
    usual = time.monotonic() - started
    phones, killed = {}, 0
    for number in range(ROUNDS):
        if number < len(USERS):
            phones[USERS[number]] = fleet.validate(chance.choice(NAMES), USERS[number])
        run = fleet.sync_to_kill("-e", "mfa_confirm_timeout=30")
        killed += not run.ends_within(chance.uniform(0, usual))
        run.kill()
        assert unexplained(fleet, phones) == []
    assert killed >= ROUNDS / 2, "most of the runs were over before they were killed"
    burnt = int(time.time() // STEP) + 1
    run = fleet.sync("all", "--diff")
    assert run.succeeded, run.output
    everybody = {user: phone.secret for user, phone in phones.items()}
    for name in NAMES:
        now = places(fleet, name)
        assert (now["keys"], set(now["enforced"]), now["pending"]) == (everybody, set(USERS), {}), name
    again = fleet.sync("all", "--diff")
    assert again.changed == set(), run.output + again.output
    for user in USERS:
        _step, token = fresh_token(phones[user], burnt)
        assert gets_in(chance.choice(NAMES), user, token), user
    assert [name for name in NAMES if not not_asked(name, "bob")] == []
