# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Logins through the role's lines when one or two of them are lost, while the user logs in as well: denied in the auth phase."""

from __future__ import annotations

import itertools

import pytest

# The first lines of the block. `deny` is there twice.
NAMES = ("attempt", "token", "failed", "claim", "deny", "deny again")
LOST = [lost for count in (0, 1, 2) for lost in itertools.combinations(NAMES, count)]
# Without these the token is claimed nevertheless, and the host's own line, which asks for the password, comes next.
CLAIMED = [(), ("deny",), ("deny again",), ("deny", "deny again")]
# A host whose own lines let everybody in once the first of them is jumped over.
WRONG_PASSWORD = ["auth requisite pam_debug.so auth=auth_err", "auth required pam_permit.so"]


def lines_without(host, lost):
    names = itertools.chain(NAMES, itertools.repeat("another"))
    return [line for name, line in zip(names, host.lines) if name not in lost]


@pytest.mark.parametrize("lost", LOST, ids="+".join)
def test_a_wrong_token_beside_a_right_one(host, lost):
    """The user's login is between the prompt of the other one and its answer, so a step is there to be claimed."""
    host.write_lines([*lines_without(host, lost), "auth requisite pam_deny.so"])
    other, users = [(login, login.has_prompt()) for login in (host.login(), host.login())]
    for login, asked, answer in ((*users, host.token()), (*other, "000000")):
        if asked:
            login.answer(answer)
        login.succeeds()
    assert not other[0].succeeds()
    assert users[0].succeeds() == (not lost)
    record = host.state.read_text() if host.state.exists() else ""
    assert (f"passed {users[0].pid}." in record) == (lost in CLAIMED)


@pytest.mark.parametrize("factors", ["password+totp", "either"])
@pytest.mark.parametrize("lost", LOST, ids="+".join)
def test_a_right_token_is_not_enough_without_the_password(host, lost, factors):
    host.write_service(factors=factors)
    host.write_lines([*lines_without(host, lost), *WRONG_PASSWORD])
    assert not host.answer(host.token())
    if not lost:
        host.write_lines([*host.lines, WRONG_PASSWORD[1]])
        assert host.answer(host.token(1)), "with the password it is"
