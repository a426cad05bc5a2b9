# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What a call of totp_key does not give, it leaves as it is."""

from __future__ import annotations

import pytest

OLD, NEW = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", "KRUGKIDROVUWG2ZAKRUGKIDROVUWG2ZA"
SET = {"issuer": "Example", "window": 5, "rate_limit_attempts": 7, "rate_limit_seconds": 90}
STATES = ["present", "pending", "validated", "rotated"]


def settings(key):
    attempts, seconds = key.rate_limit
    return {"issuer": key.issuer, "window": key.window, "rate_limit_attempts": attempts, "rate_limit_seconds": seconds}


def keys_of(host, user="alice"):
    return [key for key in (host.state_dir.pending(user), host.state_dir.validated(user)) if key]


def provision(host, *states, **options):
    """`OLD` validated, and `NEW` pending beside it if both are wanted; an account name and a period of their own."""
    for state, secret in zip(states, (OLD, NEW)):
        host.totp_key(
            {"user": "alice", "secret": secret, "state": state, "account": "a@corp"}, **{**SET, "period": 45, **options}
        )


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("before", [["pending"], ["validated"], ["validated", "present"]], ids="+".join)
def test_nothing_given(host, before, state):
    provision(host, *before)
    result = host.totp_key({"user": "alice", "state": state}, diff=True)
    if "validated" in before and state == "pending":
        assert result["failed"]
    assert keys_of(host)
    for key in keys_of(host):  # the new one of `rotated` too
        assert (settings(key), key.account, key.period) == (SET, "a@corp", 45)
    for word in ("issuer", "window", "rate limit", "account", "period"):
        assert word not in result.get("diff", {}).get("prepared", "")


@pytest.mark.parametrize("given", [*SET, "account"])
def test_one_thing_given(host, given):
    provision(host, "validated")
    other = {"issuer": "Other", "window": 9, "rate_limit_attempts": 8, "rate_limit_seconds": 60, "account": "b"}[given]
    entry, options = {"user": "alice"}, {given: other}
    if given == "account":
        entry, options = {**entry, **options}, {}
    assert host.four_steps("totp_key", keys=[entry], **options)["changed"]
    (key,) = keys_of(host)
    assert {**settings(key), "account": key.account} == {**SET, "account": "a@corp", given: other}


def test_a_secret_without_a_period_is_the_key_with_that_secret(host):
    provision(host, "validated")
    assert not host.totp_key({"user": "alice", "secret": OLD})["changed"]
    assert host.totp_key({"user": "alice", "secret": OLD}, period=30)["changed"], "given, it makes another key"
    assert [key.period for key in keys_of(host)] == [30, 45]


def test_a_new_key_has_the_defaults(host):
    host.totp_key({"user": "alice"})
    (key,) = keys_of(host)
    defaults = {"issuer": "SSH", "window": 3, "rate_limit_attempts": 3, "rate_limit_seconds": 30}
    assert (settings(key), key.account, key.period) == (defaults, "alice", 30)


@pytest.mark.parametrize(
    "line", ['" RATE_LIMIT 0 90', '" RATE_LIMIT', '" RATE_LIMIT x y', '" WINDOW_SIZE 0', '" WINDOW_SIZE 101']
)
def test_what_denies_every_login_is_not_kept(host, line):
    provision(host, "validated")
    path = host.path / "keys" / "alice"
    name = line.split()[1]
    lines = [line if name in one.split() else one for one in path.read_text().splitlines()]
    path.write_text("\n".join(lines) + "\n")
    assert host.state_dir.validated("alice").denials
    host.four_steps("totp_key", keys=[{"user": "alice"}])
    assert not host.state_dir.validated("alice").problems
