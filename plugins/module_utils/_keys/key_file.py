# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A key file of pam_google_authenticator: the lines we manage, and the PAM module's run-time state. Private.

The PAM module rewrites the file at logins, so a file is merged and never rendered from a template: restoring an old
state would make used tokens and spent recovery codes valid again. Managed are the secret, WINDOW_SIZE, the two numbers
of RATE_LIMIT, STEP_SIZE, the presence of DISALLOW_REUSE and TOTP_AUTH, and the absence of HOTP_COUNTER. Run-time state
are the time stamps after RATE_LIMIT, the steps after DISALLOW_REUSE and the remaining recovery codes. Every other line
stays. Our own data is in one option line, `" FLEETMFA {json}`, which the PAM module preserves.
"""

from __future__ import annotations

import datetime
import functools
import json
import re
import secrets
from typing import Any, Iterable, Mapping, NamedTuple

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.ids import code_id
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.key_file_lines import (
    MAXIMUM_SIZE,
    KeyFileLines,
    Problem,
    numbers,
    numbers_or_none,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.settings import RANGES
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.totp import (
    canonical_secret,
    decode_secret,
    matching_steps,
    step_at,
)

DEFAULT_WINDOW = RANGES["window"].default
DEFAULT_PERIOD = RANGES["period"].default


class KeySettings(NamedTuple):
    """What an operator sets for all keys; it may differ between hosts and can change without telling the user."""

    window: int = DEFAULT_WINDOW
    rate_limit_attempts: int = RANGES["rate_limit_attempts"].default
    rate_limit_seconds: int = RANGES["rate_limit_seconds"].default


def generate_recovery_codes(count: int) -> list[str]:
    """Distinct numbers of eight digits; the PAM module accepts none that begins with 0."""
    codes: set[str] = set()
    while len(codes) < count:
        codes.add(str(10_000_000 + secrets.randbelow(90_000_000)))
    return list(codes)


class KeyFile:
    """One key file. Immutable: methods that change it return a new one."""

    def __init__(self, lines: KeyFileLines):
        self._lines = lines

    @classmethod
    def parse(cls, content: bytes) -> KeyFile:
        return cls(KeyFileLines.parse(content))

    @classmethod
    def create(
        cls, secret: str, settings: KeySettings, issuer: str, account: str,
        recovery_codes: Iterable[str], now: float, period: int = DEFAULT_PERIOD,
    ) -> KeyFile:  # fmt: skip
        lines = KeyFileLines((canonical_secret(secret),)).with_option("STEP_SIZE", str(period))
        key = cls(lines).with_recovery_codes(recovery_codes).with_meta(since=int(now))
        return key.merged(settings, issuer, account)

    def render(self) -> bytes:
        content = self._lines.render()
        if len(content) > MAXIMUM_SIZE:
            raise FleetMfaError(
                f"the key file would have {len(content)} bytes, but the PAM module accepts at most {MAXIMUM_SIZE}; "
                "give fewer recovery codes"
            )
        return content

    def __eq__(self, other: object) -> bool:
        return isinstance(other, KeyFile) and self._lines == other._lines

    # Compared by content, never used as a dictionary key.
    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return "KeyFile(…)"  # the content is secret, even in a traceback

    # Reading

    @property
    def secret(self) -> bytes | None:
        """None if line 1 is not a usable secret."""
        try:
            return decode_secret(self._lines.secret)
        except FleetMfaError:
            return None

    @property
    def bits(self) -> int:
        """The length of what is written in line 1, also of a secret that is too short to be used."""
        return len(re.sub(r"[\s-]", "", self._lines.secret)) * 5 // 8 * 8

    def steps_of(self, token: str, steps: Iterable[int]) -> list[int]:
        """Those of `steps` whose token this is; none if line 1 is not a usable secret."""
        secret = self.secret
        return [] if secret is None else matching_steps(secret, token, steps)

    @property
    def secret_text(self) -> str:
        """For the QR code and for typing; must never appear in a message."""
        return canonical_secret(self._lines.secret)

    @property
    def period(self) -> int:
        return self._number("STEP_SIZE", DEFAULT_PERIOD)

    @property
    def window(self) -> int:
        return self._number("WINDOW_SIZE", DEFAULT_WINDOW)

    @property
    def time_skew(self) -> int:
        """Learned by the PAM module if it ran without `noskewadj`; it is applied even with `noskewadj`."""
        return self._number("TIME_SKEW", 0)

    def _number(self, option: str, default: int) -> int:
        found = numbers(self._lines.option(option) or "")
        return found[0] if found else default

    @property
    def rate_limit(self) -> tuple[int, int] | None:
        """Attempts and seconds; None if no limit is set or the line is malformed."""
        found = numbers_or_none(self._lines.option("RATE_LIMIT") or "")
        return (found[0], found[1]) if found and len(found) >= 2 else None

    @property
    def settings(self) -> KeySettings:
        """The settings in the file; the default if one is missing or has a value with which the PAM module denies every
        login."""
        found = KeySettings(self.window, *(self.rate_limit or ()))._asdict()
        return KeySettings(**{name: value for name, value in found.items() if RANGES[name].allows(value)})

    @property
    def attempts(self) -> list[int]:
        """Time stamps of the latest login attempts."""
        return sorted((numbers_or_none(self._lines.option("RATE_LIMIT") or "") or [])[2:])

    @property
    def used_steps(self) -> list[int]:
        return sorted(numbers(self._lines.option("DISALLOW_REUSE") or ""))

    @property
    def recovery_codes(self) -> list[str]:
        return self._lines.recovery_codes

    @property
    def meta(self) -> dict[str, Any]:
        try:
            found = json.loads(self._lines.option("FLEETMFA") or "{}")
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def meta_numbers(self, name: str) -> list[int]:
        found = self.meta.get(name)
        return [value for value in found if isinstance(value, int)] if isinstance(found, list) else []

    @property
    def issuer(self) -> str:
        return str(self.meta.get("issuer", ""))

    @property
    def account(self) -> str:
        return str(self.meta.get("account", ""))

    @property
    def origin(self) -> str | None:
        """Where the secret came from, see `_keys/origin.py`; None if not recorded."""
        origin = self.meta.get("origin")
        return origin if isinstance(origin, str) else None

    @property
    def was_validated(self) -> bool:
        """Whether the key has ever been validated on this host, even if it is pending again."""
        return bool(self.meta.get("was_validated"))

    @property
    def uid(self) -> int | None:
        """The user id of the account that the key belongs to, in addition to its name; None if not recorded."""
        uid = self.meta.get("uid")
        return uid if isinstance(uid, int) else None

    @property
    def generation(self) -> int:
        """How often the user's key was replaced, counted from 1; the key store compares keys by it."""
        generation = self.meta.get("generation")
        return generation if isinstance(generation, int) else 1

    @property
    def given_codes(self) -> set[str] | None:
        """The ids of all recovery codes that the file ever had, spent ones included; None if nobody has recorded them
        (a file of version 0.1.0)."""
        given = self.meta.get("codes")
        return {*map(str, given)} if isinstance(given, list) else None

    def code_ids(self, codes: Iterable[str]) -> set[str]:
        """Empty if line 1 is not a usable secret."""
        secret = self.secret
        return {code_id(secret, code) for code in codes} if secret is not None else set()

    @property
    def since(self) -> int | None:
        since = self.meta.get("since")
        return since if isinstance(since, int) else None

    @property
    def deadline(self) -> datetime.date | None:
        """The first day after the enrollment period that an operator has set for this key alone."""
        try:
            return datetime.date.fromisoformat(str(self.meta.get("deadline")))
        except ValueError:
            return None

    @property
    def displaced(self) -> str | None:
        """If this key has taken the place of another one that its user validated here: on which host it was validated.
        None once the user has been told."""
        host = self.meta.get("displaced")
        return host if isinstance(host, str) else None

    @property
    def login_steps(self) -> list[int]:
        """The steps used by logins on this host; those burnt at a validation, or since they were used elsewhere, do not count."""
        return sorted(set(self.used_steps) - set(self.meta_numbers("burnt")))

    @property
    def last_login(self) -> int | None:
        """Time of the latest login with a token, derived from its step; steps burnt at the validation do not count."""
        logins = self.login_steps
        return max(logins) * self.period if logins else None

    def accepted_steps(self, now: float) -> range:
        """The steps whose tokens the PAM module accepts at `now`."""
        middle = step_at(now, self.period) + self.time_skew
        return range(middle - (self.window - 1) // 2, middle + self.window // 2 + 1)

    def rate_limited_until(self, now: float) -> int | None:
        """When the PAM module accepts the next attempt, None if it does now; successful logins count too."""
        if not self.rate_limit:
            return None
        limit, seconds = self.rate_limit
        recent = [stamp for stamp in self.attempts if now - seconds <= stamp <= now]
        return recent[-limit] + seconds + 1 if len(recent) >= limit else None

    @functools.cached_property
    def problems(self) -> list[Problem]:
        return self._lines.problems()

    @property
    def denials(self) -> list[str]:
        """The problems that make the PAM module deny every login, or every token."""
        return [problem.text for problem in self.problems if problem.kind == "denied"]

    def same_key(self, other: KeyFile | None) -> bool:
        """Whether one entry in an authenticator app works for both: same secret, same period."""
        return other is not None and self.is_key(other.secret, other.period)

    def is_key(self, secret: bytes | None, period: int | None) -> bool:
        """With `period` None, any period matches."""
        return secret is not None and self.secret == secret and period in (None, self.period)

    # Changing

    def merged(self, settings: KeySettings, issuer: str, account: str) -> KeyFile:
        """With the managed parts as wanted and all run-time state kept; a part with the same meaning is left
        unchanged."""
        lines = self._lines.without_option("HOTP_COUNTER")
        if lines.option("TOTP_AUTH") is None:
            lines = lines.with_option("TOTP_AUTH", "")
        reuse = lines.option("DISALLOW_REUSE")
        if reuse is None or numbers_or_none(reuse) is None:
            lines = lines.with_option("DISALLOW_REUSE", _join(self.used_steps))
        limit = (settings.rate_limit_attempts, settings.rate_limit_seconds)
        if self.rate_limit != limit:
            lines = lines.with_option("RATE_LIMIT", _join([*limit, *self.attempts]))
        key = KeyFile(lines)._with_window(settings.window)
        return key.with_meta(issuer=issuer, account=account)

    def _with_window(self, window: int) -> KeyFile:
        given = self._lines.option("WINDOW_SIZE")
        if self.window == window and (given is None or numbers_or_none(given)):
            return self
        wider = KeyFile(self._lines.with_option("WINDOW_SIZE", str(window)))
        if window <= self.window or not self.used_steps:
            return wider
        # The PAM module forgets used steps that its window no longer covers; a wider one would make them valid again.
        latest = self.used_steps[-1]
        return wider.with_burnt(range(latest - window + 1, latest))

    def with_burnt(self, steps: Iterable[int]) -> KeyFile:
        """With the tokens of these steps used up without a login. The steps are recorded, so that none is reported as a
        login."""
        used = set(self.used_steps)
        burnt = {*steps} - used | used.intersection(self.meta_numbers("burnt"))
        lines = self._lines.with_option("DISALLOW_REUSE", _join(sorted(used | burnt)))
        return KeyFile(lines).with_meta(burnt=sorted(burnt))

    def with_attempts_forgotten(self) -> KeyFile:
        """With no attempt that counts for a limit, of logins or of validations; the limits stay."""
        lines = self._lines
        if self.rate_limit and self.attempts:
            lines = lines.with_option("RATE_LIMIT", _join(self.rate_limit))
        return KeyFile(lines).with_meta(tries=None)

    def with_meta(self, **values: Any) -> KeyFile:
        """With these entries in our own line replaced; None removes one."""
        wanted = {name: value for name, value in {**self.meta, **values}.items() if value is not None}
        if wanted == self.meta:
            return self
        return KeyFile(self._lines.with_option("FLEETMFA", json.dumps(wanted, sort_keys=True)))

    def owned_by(self, uid: int | None) -> KeyFile:
        """With the user id recorded, unless one is recorded already."""
        return self if self.uid is not None else self.with_meta(uid=uid)

    def with_recovery_codes(self, codes: Iterable[str]) -> KeyFile:
        """With these codes left. The PAM module removes a spent code, so a record of all is kept: what is missing was
        spent, or replaced, and must not come back from another host."""
        codes = list(codes)
        given = (self.given_codes or set()) | self.code_ids([*self.recovery_codes, *codes])
        return KeyFile(self._lines.with_recovery_codes(codes)).with_given_codes(given)

    def with_expiring(self, ends: Mapping[str, int]) -> KeyFile:
        """With the ends of help-desk codes, by id, in seconds since the epoch. In a form that the guard can read, by the
        remainder that it knows codes by."""
        named = [
            (code, end)
            for name, end in sorted(ends.items())
            for code in self.recovery_codes
            if name in self.code_ids([code])
        ]
        words = [f"{_remainder(code)} {end}" for code, end in named]
        return self.with_meta(expiring=" ".join(words) or None)

    def has_expired(self, code: str, now: float) -> bool:
        """Whether this is a help-desk code that has ended; the PAM module does not know of that."""
        words = str(self.meta.get("expiring", "")).split()
        ends = dict(zip(words[::2], words[1::2]))
        end = ends.get(_remainder(code), "")
        return end.isdigit() and int(end) <= now

    def with_given_codes(self, given: Iterable[str]) -> KeyFile:
        return self.with_meta(codes=sorted(given))

    # What may be reported

    def traits(self) -> dict[str, Any]:
        """The properties of the key that are not secret, by the names that operators know."""
        limit = "{} in {} s".format(*self.rate_limit) if self.rate_limit else "none"
        return {
            "issuer": self.issuer,
            "account": self.account,
            "origin": self.origin or "unknown",
            "user id": self.uid,
            "period": self.period,
            "window": self.window,
            "rate limit": limit,
            "one-time use": self._lines.option("DISALLOW_REUSE") is not None,
            "time based": self._lines.option("TOTP_AUTH") is not None and self._lines.option("HOTP_COUNTER") is None,
            "recovery codes": len(self.recovery_codes),
        }


def differences(before: KeyFile, after: KeyFile) -> list[str]:
    """Each change in words, without secrets: `window 3 -> 5`."""
    old, new = before.traits(), after.traits()
    changes = [f"{name} {old[name]} -> {new[name]}" for name in old if old[name] != new[name]]
    if before.secret != after.secret:
        changes.append("secret replaced")
    elif set(after.used_steps) - set(before.used_steps):
        changes.append("used tokens added")
    return changes or (["rewritten"] if before != after else [])


def _remainder(code: str) -> str:
    """What totp-guard knows a recovery code by: enough to tell a user's codes apart, not enough to log in with."""
    return f"r{int(code) % 99_991}"


def _join(values: Iterable[int]) -> str:
    return " ".join(str(value) for value in values)
