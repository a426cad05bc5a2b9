# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The time allowed for a user to enroll. Private to the collection.

Days are calendar days of the host: the period begins at 00:00 on the first day and ends at 00:00 after the last one.
"""

from __future__ import annotations

import datetime
from typing import NamedTuple


class Period(NamedTuple):
    """From the first day of enrollment to the first day after it."""

    start: datetime.date
    deadline: datetime.date

    def is_open(self, today: datetime.date) -> bool:
        return self.start <= today < self.deadline

    def is_over(self, today: datetime.date) -> bool:
        return today >= self.deadline

    def days_left(self, today: datetime.date) -> int:
        """1 on the last day, 0 when the period is over."""
        return max(0, (self.deadline - today).days)


def period_of_user(
    fleet_start: datetime.date | None, provisioned: datetime.date | None, days: int, extra_days: int
) -> Period | None:
    """The period begins on the fleet's first day, or on the day the user's key was provisioned if that is later.

    So users who join late get the full period. None: there is no first day to count from.
    """
    known = [day for day in (fleet_start, provisioned) if day is not None]
    if not known:
        return None
    start = max(known)
    return Period(start, start + datetime.timedelta(days=days + extra_days))
