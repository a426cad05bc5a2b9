# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Reads what pam_google_authenticator and its program have left in a user's home directory. Private."""

from __future__ import annotations

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.foreign_key import (
    FUTURE_SECONDS,
    ForeignKey,
    foreign_key,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.key_file import KeyFile
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.key_file_lines import KeyFileLines, numbers
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.settings import RANGES

# Settings of the role (mfa_window, mfa_rate_limit_…), and state that ends by itself.
_DROPPED = ("WINDOW_SIZE", "RATE_LIMIT", "TIME_SKEW")
_MAXIMUM_CODES = RANGES["recovery_codes"].high


def home_key(user: str, source: str, content: bytes, now: float) -> ForeignKey:
    """A FleetMfaError, without anything of the content, if the key can be none of the store."""
    lines, file = KeyFileLines.parse(content), KeyFile.parse(content)
    if lines.option("HOTP_COUNTER") is not None:
        raise FleetMfaError("the key counts logins (HOTP), not time; give the user a new key")
    if file.denials:
        raise FleetMfaError("; ".join(file.denials))
    if len(file.recovery_codes) > _MAXIMUM_CODES:
        raise FleetMfaError(f"it has more than {_MAXIMUM_CODES} recovery codes; shorten the list")
    key = foreign_key(user, source, file.secret_text, file.period)
    key["codes"] = file.recovery_codes
    key["used"] = [step for step in file.used_steps if 0 < step * file.period <= now + FUTURE_SECONDS]
    key["last_used"] = _last_used(lines, key, now)
    key["drift"] = _drift(file, key["used"])
    key["not_carried"] = [text for name in _DROPPED for text in _shown(name, lines)]
    if lines.option("DISALLOW_REUSE") is None:
        key["notes"].append("DISALLOW_REUSE is not set, so no use is on record, and tokens could be used twice")
    key["notes"] += [problem.text for problem in file.problems if problem.kind == "ignored"]
    return key


def _last_used(lines: KeyFileLines, key: ForeignKey, now: float) -> int | None:
    """By the steps, and by the times that option grace_period= records after a login (`" LAST0 ADDRESS TIME`)."""
    graces = [number for place in range(10) for number in numbers(lines.option(f"LAST{place}") or "")]
    times = [step * key["period"] for step in key["used"]] + [time for time in graces if 0 < time <= now]
    return max(times, default=None)


def _drift(file: KeyFile, used: list[int]) -> int | None:
    """TIME_SKEW if the PAM module has learned one. Otherwise the newest step, against the attempt nearest to it: the
    PAM module notes the time of each before it checks the token. It forgets the time of a login at the next attempt, so
    a distance that its window does not allow is that of an attempt that failed."""
    if file.time_skew:
        return file.time_skew
    if not used or not file.attempts:
        return None
    latest = max(used)
    nearest = min((latest - stamp // file.period for stamp in file.attempts), key=abs)
    return nearest if abs(nearest) <= file.window // 2 else None


def _shown(name: str, lines: KeyFileLines) -> list[str]:
    """An option with its setting, without the time stamps that follow."""
    found = numbers(lines.option(name) or "")[: 2 if name == "RATE_LIMIT" else 1]
    return [" ".join(map(str, [name, *found]))] if any(found) else []
