# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The rate limit holds for prompts that are open at the same time, and takes nothing from an honest user."""

from __future__ import annotations

from pathlib import Path

import pytest


def seconds_since_boot() -> int:
    return int(float(Path("/proc/uptime").read_text().split()[0]))


def test_guesses_held_open_together_get_no_further_than_the_limit(host):
    host.write_key(rate_limit="3 3600")
    logins = [host.login() for _round in range(200)]
    asked = [login for login in logins if login.has_prompt()]
    assert len(asked) == 3
    assert not any(login.succeeds() for login in logins if login not in asked)
    for login in asked:
        login.answer("000000")
    assert not any(login.succeeds() for login in asked)
    assert not host.answer(host.token())


def test_as_many_logins_as_the_limit_allows(host):
    host.write_key(rate_limit="3 3600")
    assert all(host.answer(host.token(offset)) for offset in (-1, 0, 1))
    assert not host.login().has_prompt()


def test_hanging_up_does_not_give_an_attempt_back(host):
    host.write_key(rate_limit="2 3600")
    for _round in range(2):
        login = host.login()
        assert login.has_prompt()
        login.hang_up()
    assert not host.login().has_prompt()


def test_refused_attempts_do_not_prolong_the_wait(host):
    host.write_key(rate_limit="1 3600")
    assert host.run("attempt").returncode == 0
    before = host.state.read_text()
    assert host.run("attempt").returncode == 1
    assert host.state.read_text() == before


@pytest.mark.parametrize(
    ("age", "allowed"), [(0, False), (10, False), (31, True), (-1000, True)], ids=["now", "recent", "over", "reboot"]
)
def test_an_attempt_counts_for_the_period_and_not_past_a_reboot(host, age, allowed):
    host.write_key(rate_limit="1 30")
    host.state.write_text(f"open 1 {seconds_since_boot() - age}\nclaimed\n")
    assert (host.run("attempt").returncode == 0) == allowed


def test_a_long_period_is_remembered_whole(host):
    host.write_key(rate_limit="1 3600")
    host.state.write_text(f"open 1 {seconds_since_boot() - 3000}\nclaimed\n")
    if seconds_since_boot() > 3000:
        assert host.run("attempt").returncode == 1


def test_without_a_rate_limit_there_is_none(host):
    host.write_key(rate_limit=None)
    assert all(host.run("attempt").returncode == 0 for _round in range(10))


def test_what_is_kept_stays_small(host):
    old = "".join(f"open 1 {seconds_since_boot() + offset}\n" for offset in range(600, 1100))
    host.state.write_text(f"{old}claimed {' '.join(map(str, range(1000)))}\n")
    assert host.run("attempt").returncode == 0
    attempts, claimed = host.state.read_text().splitlines()
    assert attempts.startswith("open ")
    assert claimed.split() == ["claimed", *map(str, range(936, 1000))]
    assert sorted(path.name for path in host.state.parent.iterdir()) == [".alice.lock", "alice"]
