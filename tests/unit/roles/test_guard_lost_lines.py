# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Logins through the guard's lines when some of them are lost, while the user logs in as well: no wrong token lets in."""

from __future__ import annotations

import itertools

import pytest

NAMES = ("attempt", "token", "failed", "claim")
LOST = [lost for count in (0, 1, 2) for lost in itertools.combinations(NAMES, count)]
# As far as the auth phase; the account check then denies those logins, which have claimed nothing.
LETS_A_RIGHT_ONE_IN = [(), ("failed",), ("claim",), ("attempt", "failed"), ("attempt", "claim")]


@pytest.mark.parametrize("lost", LOST, ids="+".join)
def test_a_wrong_token_beside_a_right_one(host, lost):
    """The user's login is between the prompt of the other one and its answer, so a step is there to be claimed."""
    left = [line for name, line in zip((*NAMES, "end"), host.lines) if name not in lost]
    host.write_lines(left)
    other = host.login()
    asked = other.has_prompt()
    let_in = host.answer(host.token())
    if asked:
        other.answer("000000")
    assert not other.succeeds()
    record = host.state.read_text() if host.state.exists() else ""
    assert record.count("passed ") == (0 if lost else 1)
    assert let_in == (lost in LETS_A_RIGHT_ONE_IN)
