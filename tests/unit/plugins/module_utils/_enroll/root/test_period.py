# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors

from __future__ import annotations

import datetime

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.root.period import period_of_user

DAY = datetime.date.fromisoformat


@pytest.mark.parametrize(
    ("today", "is_open", "is_over", "left"),
    [
        ("2026-02-28", False, False, 8),
        ("2026-03-01", True, False, 7),
        ("2026-03-07", True, False, 1),
        ("2026-03-08", False, True, 0),
        ("2027-01-01", False, True, 0),
    ],
)
def test_seven_days_are_seven_days_of_the_calendar(today, is_open, is_over, left):
    period = period_of_user(DAY("2026-03-01"), None, days=7, extra_days=0)
    assert period.deadline == DAY("2026-03-08")
    today = DAY(today)
    assert (period.is_open(today), period.is_over(today), period.days_left(today)) == (is_open, is_over, left)


@pytest.mark.parametrize(
    ("fleet", "provisioned", "start"),
    [
        ("2026-03-01", "2026-01-15", "2026-03-01"),
        ("2026-03-01", "2026-05-15", "2026-05-15"),
        (None, "2026-05-15", "2026-05-15"),
        ("2026-03-01", None, "2026-03-01"),
    ],
)
def test_who_joins_late_has_the_same_time(fleet, provisioned, start):
    period = period_of_user(fleet and DAY(fleet), provisioned and DAY(provisioned), days=10, extra_days=4)
    assert period.start == DAY(start)
    assert (period.deadline - period.start).days == 14


def test_without_a_first_day_there_is_no_period():
    assert period_of_user(None, None, days=7, extra_days=0) is None
