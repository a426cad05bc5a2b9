# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Reads the users file of pam_oath (liboath's usersfile). Private to the collection.

A line has the kind, the user, a PIN or `-`, the secret in hexadecimal and, after a login, a counter, the last token and
the local time of that login, separated by blanks or tabs: `HOTP/T30/6 alice - 3132… 0 109647 2026-11-26T22:27:17L`.
"""

from __future__ import annotations

import base64
import re
import time
from typing import Iterable

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.foreign_key import (
    FUTURE_SECONDS,
    ForeignKey,
    NotImported,
    foreign_key,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.totp import (
    canonical_secret,
    decode_secret,
    matching_steps,
    step_at,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._misplaced import looks_secret
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import account_exists

_KIND = re.compile(r"HOTP(?:/(E|T[0-9]*))?(?:/([0-9]+))?")
_NO_PIN = ("-", "+")  # none, and one that pam_oath did not check itself
_MOST_STEPS_OFF = 100  # more than a window= that anybody sets


def oath_keys(source: str, content: bytes, now: float) -> tuple[list[ForeignKey], list[NotImported]]:
    """The keys of all users of the file, and what of it cannot become one."""
    keys: list[ForeignKey] = []
    refused: list[NotImported] = []
    for number, line in enumerate(content.decode("latin-1").split("\n"), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        place = f"{source}, line {number}"
        if len(words) < 4:
            refused.append(NotImported("", place, "the line has not the four fields of a user of pam_oath"))
            continue
        try:
            keys.append(_key(place, words, now))
        except FleetMfaError as error:
            refused.append(NotImported(_name(words[1]), place, str(error)))
    return keys, refused


def _name(word: str) -> str:
    """In a line whose fields are in another order the word may be a secret."""
    return word if account_exists(word) or (word.isprintable() and not looks_secret(word)) else ""


def _key(place: str, words: list[str], now: float) -> ForeignKey:
    kind, user, pin, secret = words[:4]
    key = foreign_key(_name(user), place, _base32(secret), _period(kind))
    if len(words) >= 7:
        moment = _moment(words[6])
        if moment is not None and moment <= now + FUTURE_SECONDS:
            key["last_used"] = moment
            _find_step(key, words[5], moment)
    if pin not in _NO_PIN:
        key["notes"].append("the PIN that the user typed before the token is not carried over; nobody asks for it")
    return key


def _period(kind: str) -> int:
    """Of the time step in seconds, in `HOTP/T30/6`."""
    found = _KIND.fullmatch(kind)
    if not found:
        raise FleetMfaError("the first field is no kind of key that pam_oath knows")
    moving, digits = found.groups()
    if not moving or moving == "E":
        raise FleetMfaError("the key counts logins (HOTP), not time; give the user a new key")
    if digits not in (None, "6"):
        raise FleetMfaError(
            "its tokens have other than 6 digits, and the PAM module here checks only 6; give a new key"
        )
    if moving not in ("T30", "T60"):
        raise FleetMfaError("the time step is neither 30 nor 60 seconds, so pam_oath itself refuses the line")
    return int(moving[1:])


def _base32(text: str) -> str:
    try:
        secret = bytes.fromhex(text)
    except ValueError:
        raise FleetMfaError("the secret is not hexadecimal") from None
    return canonical_secret(base64.b32encode(secret).decode("ascii").rstrip("="))


def _moment(text: str) -> int | None:
    """Seconds since the epoch; liboath writes the time of the host's own clock, marked with an L."""
    try:
        return int(time.mktime(time.strptime(text, "%Y-%m-%dT%H:%M:%SL")))
    except (ValueError, OverflowError):
        return None


def _find_step(key: ForeignKey, token: str, moment: int) -> None:
    """The step that the last token is of, which the file does not say, and how far it was from that time."""
    if not re.fullmatch("[0-9]{6}", token):
        return
    middle = step_at(moment, key["period"])
    steps: Iterable[int] = range(middle - _MOST_STEPS_OFF, middle + _MOST_STEPS_OFF + 1)
    found = matching_steps(decode_secret(key["secret"]), token, steps)
    if found:
        step = min(found, key=lambda one: abs(one - middle))
        key["used"], key["drift"] = [step], step - middle
