# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Logins through the guard's lines when some of them are lost, while the user logs in as well: no wrong token lets in."""

from __future__ import annotations

import itertools

import pytest

NAMES = ("attempt", "token", "failed", "claim")
LOST = [lost for count in (0, 1, 2) for lost in itertools.combinations(NAMES, count)]
# As far as the auth phase; the account check then denies those logins, which have claimed nothing.
LETS_A_RIGHT_ONE_IN = [(), ("failed",), ("claim",), ("attempt", "failed"), ("attempt", "claim"), ("failed", "claim")]


@pytest.mark.parametrize("lost", LOST, ids="+".join)
def test_a_wrong_token_beside_a_right_one(host, lost):
    """The user's login is between the prompt of the other one and its answer, so a step is there to be claimed."""
    left = [line for name, line in zip((*NAMES, "end"), host.lines) if name not in lost]
    host.write_lines(left)
    other, users = [(login, login.has_prompt()) for login in (host.login(), host.login())]
    for login, asked, answer in ((*users, host.token()), (*other, "000000")):
        if asked:
            login.answer(answer)
        login.succeeds()
    assert not other[0].succeeds()
    assert users[0].succeeds() == (lost in LETS_A_RIGHT_ONE_IN)
    record = host.state.read_text() if host.state.exists() else ""
    assert (f"passed {users[0].pid}." in record) == (not lost)
