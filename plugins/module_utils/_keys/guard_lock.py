# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Whom the guard has locked after wrong tokens, by its record (docs/wrong_tokens.md). Private to the collection.

The record has a line `wrong IN_A_ROW SINCE_LOCK` and, after a lock, `locked BOOT TIME SECONDS`: the id of the boot and the time
since boot when the user was locked, and for how long, 0 for until an operator unlocks the user.
"""

from __future__ import annotations

from pathlib import Path
from typing import Mapping, NamedTuple

# The same as in totp-guard.
SUSPENDED_AT = 100
HOPELESS_AT = 200

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_UPTIME = Path("/proc/uptime")


class WrongTokens(NamedTuple):
    """`in_a_row`: since the last login. `locked`: there is no prompt at a login. `seconds_left` of a lock, None if there is none
    that ends. `suspended`: only a recovery code lets in."""

    in_a_row: int = 0
    locked: bool = False
    seconds_left: int | None = None

    @property
    def suspended(self) -> bool:
        return self.in_a_row >= SUSPENDED_AT


def wrong_tokens(lines: Mapping[bytes, list[bytes]]) -> WrongTokens:
    """`lines` are the words of each line of the guard's record by its first word. With a line that the guard cannot read, which
    denies, the user counts as locked."""
    try:
        in_a_row = int(lines[b"wrong"][0]) if b"wrong" in lines else 0
        left = _seconds_left(*lines[b"locked"]) if b"locked" in lines else 0
    except (ValueError, IndexError, TypeError):
        return WrongTokens(locked=True)
    if left is None or in_a_row >= HOPELESS_AT:
        return WrongTokens(in_a_row, locked=True)
    return WrongTokens(in_a_row, left > 0, left or None)


def _seconds_left(boot: bytes, since_boot: bytes, seconds: bytes) -> int | None:
    """0 if the lock is over, None if it does not end. After a reboot the wait begins anew with it, as for the guard."""
    if int(seconds) == 0:
        return None
    now, since = int(float(_UPTIME.read_text().split()[0])), int(since_boot)
    if boot != _BOOT_ID.read_bytes().strip() or now < since:
        since = 0
    return max(0, int(seconds) - (now - since))
