# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Users are reminded before their period ends, once for each step."""

from __future__ import annotations

import datetime

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.root import service
from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.root.reminders import remind
from ansible_collections.fleetmfa.ssh.tests.support.enrollment_host import pending_key, policy, provision

START = datetime.date(2027, 3, 1)
SINCE = datetime.datetime(2027, 3, 1, 12).timestamp()


@pytest.fixture
def reminded(told, tmp_path):
    """reminded(day, ...) -> who is reminded that many days after the first one."""
    provision(tmp_path, "alice", since=SINCE)
    told.send()

    def reminded_(day, **changed):
        return remind(policy(tmp_path, **{"enrollment_days": 30, **changed}), START + datetime.timedelta(days=day))

    return reminded_


def test_three_reminders_and_none_twice(told, reminded):
    days = [day for day in range(-2, 40) for _again in range(2) if reminded(day)]
    assert days == [16, 23, 29]
    found = [
        (one["event"], one["by"], one["details"]["days_left"], one["details"]["deadline"]) for one in told.waiting()
    ]
    assert found == [("deadline_near", "host", left, "2027-03-31") for left in (14, 7, 1)]


def test_a_host_that_was_off(reminded):
    assert [day for day in (0, 20, 21, 28, 31) if reminded(day)] == [20, 28]


@pytest.mark.parametrize(("days", "steps"), [(1, []), (2, [1]), (7, [1]), (8, [7, 1]), (14, [7, 1]), (15, [14, 7, 1])])
def test_short_periods(told, reminded, days, steps):
    for day in range(days):
        reminded(day, enrollment_days=days)
    assert [one["details"]["days_left"] for one in told.waiting()] == steps


def test_another_deadline_starts_anew(reminded):
    assert reminded(29) == ["alice"]
    assert [day for day in (29, 30, 31) if reminded(day, user_extensions={"alice": 7})] == [29, 30], "8 and 7 days left"


def test_who_is_not_reminded(told, reminded, tmp_path):
    state = provision(tmp_path, "bob", "carol", "root", since=SINCE)
    with state.lock():
        state.promote("carol", pending_key("carol"))
    assert reminded(29, exempt_users=["bob"]) == ["alice"]
    assert reminded(29, connecting_users=["bob"]) == []
    assert reminded(29) == ["bob"]


def test_validated_in_the_meantime_and_forgotten(told, reminded, tmp_path):
    assert reminded(23) == ["alice"]
    state = provision(tmp_path)
    with state.lock():
        state.promote("alice", pending_key("alice"))
    assert reminded(29) == [] and not (tmp_path / "state/reminded").exists()


def test_a_broken_key_does_not_keep_others_from_being_reminded(told, reminded, tmp_path):
    provision(tmp_path, "bob", since=SINCE)
    pending = tmp_path / "state/pending/alice"
    pending.unlink()
    pending.mkdir()
    assert reminded(29) == ["bob"]


def test_a_broken_record(reminded, tmp_path):
    for broken in ("{", "[]", '{"alice": 1}'):
        (tmp_path / "state/reminded").write_text(broken)
        assert reminded(29) == ["alice"] and reminded(29) == []


@pytest.mark.parametrize(
    ("overdue", "words"),
    [("allow", "days left: 1. If this"), ("enroll_only", "only to do that"), ("deny", "your logins are denied")],
)
def test_words(told, reminded, overdue, words):
    reminded(29, enrollment_overdue=overdue)
    assert words in told.send()[0]["text"]


def test_nobody_without_the_settings(told, reminded, tmp_path):
    (tmp_path / "etc/fleetmfa/notices.conf").unlink()
    assert reminded(29) == [] and not (tmp_path / "state/reminded").exists()


def test_the_timer_does_it_and_says_no_change(told, reminded, tmp_path, monkeypatch, capsys):
    class Today(datetime.date):
        @classmethod
        def today(cls):
            return START + datetime.timedelta(days=29)

    monkeypatch.setattr(service.datetime, "date", Today)
    monkeypatch.setattr(service, "read_policy", lambda: policy(tmp_path, enrollment_days=30))
    assert service.main(["deadline"]) == 0 and capsys.readouterr().out == ""
    assert told.recorded() == [("alice", "deadline_near")]
