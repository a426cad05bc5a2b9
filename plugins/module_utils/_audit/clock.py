# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The clock of this host, which tokens depend on, and what keeps it right. Reads only. Private to the collection."""

from __future__ import annotations

import ctypes
import time
from pathlib import Path
from typing import Iterable, TypedDict

from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.key_file import KeyFile

# adjtimex(2) with modes 0 only reads. systemd's timedated says "synchronized" for the same figure.
_MOST_MICROSECONDS_OFF = 16_000_000
# As the kernel cuts them off.
_SERVICES = {
    "systemd-timesyn": "systemd-timesyncd",
    "chronyd": "chrony",
    "ntpd": "ntp",
    "ntpsec": "ntp",
    "openntpd": "ntp",
}


class ClockReport(TypedDict):
    """`time` in seconds since the epoch; `synchronized` None if the kernel does not say; `service` "" if none runs."""

    time: float
    synchronized: bool | None
    service: str


def clock(proc: str = "/proc") -> ClockReport:
    return {"time": time.time(), "synchronized": _synchronized(), "service": time_service(proc)}


def tolerance(keys: Iterable[KeyFile]) -> int | None:
    """By how many seconds the clock may be off before a right token of one of the keys is refused; None without keys."""
    return min(((key.window - 1) // 2 * key.period for key in keys), default=None)


def time_service(proc: str) -> str:
    for process in Path(proc).glob("[0-9]*/comm"):
        try:
            name = process.read_text("utf-8", "replace").strip()
        except OSError:
            continue
        if name in _SERVICES:
            return _SERVICES[name]
    return ""


class _Timex(ctypes.Structure):
    """The beginning of struct timex, and room for the rest of it."""

    _fields_ = [
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("rest", ctypes.c_char * 512),
    ]


def _synchronized() -> bool | None:
    told = _Timex()
    try:
        state: int = ctypes.CDLL(None).adjtimex(ctypes.byref(told))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else bool(told.maxerror < _MOST_MICROSECONDS_OFF)
