# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""How much work a function does, whatever the machine's speed and load."""

from __future__ import annotations

import sys
from typing import Callable


def calls_made(function: Callable[[], object]) -> int:
    """The number of calls of Python functions that one run of the function makes."""
    count = 0

    def count_calls(_frame, event: str, _argument) -> None:
        nonlocal count
        count += event == "call"

    before = sys.getprofile()
    sys.setprofile(count_calls)
    try:
        function()
    finally:
        sys.setprofile(before)
    return count
