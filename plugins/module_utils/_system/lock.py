# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Waits for a lock for a limited time, since flock(2) itself has no time limit. Private to the collection."""

from __future__ import annotations

import fcntl
import time

_PAUSE = 0.02


def lock_within(descriptor: int, seconds: float) -> bool:
    """Take the exclusive lock of an open file. Returns false if another process holds it for longer than `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(_PAUSE)
