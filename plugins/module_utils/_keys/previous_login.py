# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What a user is told at a login of the one before it, by the guard's record (docs/notices.md). Private to the collection.

The record has a line `previous TIME WRONG ADDRESS`: when the user was let in with a token or a recovery code before the last time, in
seconds since the epoch, 0 for never; how many wrong tokens there were between the two; and from where, `-` if that is not known.
"""

from __future__ import annotations

from typing import Mapping, TypedDict

_FAR_FUTURE = 2**33  # no time that a date can be made of


class PreviousLogin(TypedDict):
    """`time` is None if there was none."""

    time: int | None
    wrong_tokens: int
    address: str | None


def previous_login(lines: Mapping[bytes, list[bytes]]) -> PreviousLogin | None:
    """`lines` are the words of each line of the guard's record by its first word. None if nothing is on record."""
    try:
        time, wrong, address = lines[b"previous"]
        text, when = address.decode("ascii"), int(time)
        if not 0 <= when < _FAR_FUTURE:
            return None
        return {"time": when or None, "wrong_tokens": int(wrong), "address": None if text == "-" else text}
    except (KeyError, ValueError):
        return None
