# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The lines of a key file, read the way pam_google_authenticator reads them. Private to the collection.

Line 1 is the secret. An option line starts with `"`, one blank and a name; only the first line with a name counts.
Every other line is a recovery code of eight digits, and the first line that is not one disables all codes below it.
"""

from __future__ import annotations

import functools
import re
from typing import Iterable, Literal, NamedTuple

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.settings import RANGES, Range
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.totp import decode_secret

MAXIMUM_SIZE = 65536
_NUMBERS_OF = {
    "WINDOW_SIZE": [RANGES["window"]],
    "STEP_SIZE": [RANGES["period"]],
    "RATE_LIMIT": [RANGES["rate_limit_attempts"], RANGES["rate_limit_seconds"]],
}

# strtoul(3) accepts blanks, a plus sign and zeros before the number.
_RECOVERY_CODE = re.compile(r"[ \t\v\f]*\+?0*([1-9][0-9]{7})\r?")
_OPTION = re.compile(r'" ([A-Z0-9_]+)(?=[ \t\r]|$)[ \t]*([^\r]*)\r?')
_OPTION_WITHOUT_BLANK = re.compile(r'"[ \t]*[A-Z][A-Z0-9_]+')


def numbers(text: str) -> list[int]:
    """The whole numbers in a list separated by blanks, ignoring anything else."""
    return [int(word) for word in text.split() if re.fullmatch(r"-?[0-9]+", word)]


def numbers_or_none(text: str) -> list[int] | None:
    """The same, but None if the list contains anything else, which makes the PAM module deny every login."""
    found = numbers(text)
    return found if len(found) == len(text.split()) else None


class Problem(NamedTuple):
    """Something wrong with a key file. The text is for people and contains nothing of the file's content.

    `denied`: the PAM module denies every login, or every token. `weak`: it accepts more than it should. `ignored`: it
    ignores something that was meant to have an effect.
    """

    kind: Literal["denied", "weak", "ignored"]
    text: str

    def __str__(self) -> str:
        return self.text


class KeyFileLines:
    """The lines, one by one and byte for byte; immutable."""

    def __init__(self, lines: Iterable[str]):
        self._lines = tuple(lines)

    @classmethod
    def parse(cls, content: bytes) -> KeyFileLines:
        # latin-1 maps every byte to a character and back unchanged.
        lines = content.decode("latin-1").split("\n")
        return cls(lines[:-1] if lines[-1] == "" else lines)

    def render(self) -> bytes:
        return "".join(f"{line}\n" for line in self._lines).encode("latin-1")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, KeyFileLines) and self._lines == other._lines

    __hash__ = None  # type: ignore[assignment]

    @property
    def secret(self) -> str:
        return self._lines[0] if self._lines else ""

    def option(self, name: str) -> str | None:
        """The value of an option; None if it is missing, an empty string for an option without a value."""
        return self._options.get(name)

    @functools.cached_property
    def _options(self) -> dict[str, str]:
        """The first line of a name counts."""
        found = (_OPTION.fullmatch(line) for line in reversed(self._lines[1:]))
        return {match.group(1): match.group(2) for match in found if match}

    def with_option(self, name: str, value: str) -> KeyFileLines:
        """With the option set where it already is, or otherwise below the secret, and only once."""
        wanted = f'" {name} {value}'.rstrip()
        at = [number for number in range(1, len(self._lines)) if self._is_option(number, name)]
        if not at:
            return KeyFileLines((self.secret, wanted, *self._lines[1:]))
        kept = self._without(at[1:])
        kept[at[0]] = wanted
        return KeyFileLines(kept)

    def without_option(self, name: str) -> KeyFileLines:
        return KeyFileLines(self._without(n for n in range(1, len(self._lines)) if self._is_option(n, name)))

    def _is_option(self, number: int, name: str) -> bool:
        match = _OPTION.fullmatch(self._lines[number])
        return match is not None and match.group(1) == name

    def _without(self, dropped: Iterable[int]) -> list[str]:
        drop = set(dropped)
        return [line for number, line in enumerate(self._lines) if number not in drop]

    def _code_lines(self) -> tuple[dict[int, str], int | None]:
        """The usable recovery codes by index, and the index of the line that disables all codes below it."""
        codes: dict[int, str] = {}
        for number, line in enumerate(self._lines[1:], start=1):
            if line.startswith('"') or not line.strip("\r"):
                continue
            match = _RECOVERY_CODE.fullmatch(line)
            if not match:
                return codes, number
            codes[number] = match.group(1)
        return codes, None

    @property
    def recovery_codes(self) -> list[str]:
        return list(self._code_lines()[0].values())

    def with_recovery_codes(self, codes: Iterable[str]) -> KeyFileLines:
        """With these codes in place of every line that is not an option, including unusable ones."""
        options = [line for line in self._lines[1:] if line.startswith('"')]
        return KeyFileLines((self.secret, *options, *codes))

    def problems(self) -> list[Problem]:
        """What makes the PAM module deny or ignore something, by line number; never the content of a line."""
        return [*self._file_problems(), *self._option_problems(), *self._line_problems()]

    def _file_problems(self) -> Iterable[Problem]:
        content = self.render()
        if len(content) > MAXIMUM_SIZE or b"\0" in content:
            yield Problem(
                "denied", f"the file is larger than {MAXIMUM_SIZE} bytes or contains a NUL byte: every login is denied"
            )
        try:
            decode_secret(self.secret)
        except FleetMfaError as error:
            yield Problem("denied", f"line 1: {error}")
        if self.option("TOTP_AUTH") is None:
            yield Problem("denied", 'the line `" TOTP_AUTH` is missing: every login with a token is denied')
        if self.option("HOTP_COUNTER") is not None:
            yield Problem(
                "denied", "HOTP_COUNTER is set: the key counts logins, not time; tokens of a TOTP app are denied"
            )
        if self.option("DISALLOW_REUSE") is None:
            yield Problem("weak", "DISALLOW_REUSE is missing: a token can be used again while its time step lasts")

    def _option_problems(self) -> Iterable[Problem]:
        for name, limits in _NUMBERS_OF.items():
            value = self.option(name)
            if value is not None and not _within(numbers_or_none(value), limits):
                yield Problem("denied", f"{name} is malformed or out of range: every login is denied")
        if numbers_or_none(self.option("DISALLOW_REUSE") or "") is None:
            yield Problem("denied", "DISALLOW_REUSE is malformed: every login with a token is denied")
        if self.option("RATE_LIMIT") is None:
            yield Problem("weak", "RATE_LIMIT is missing: tokens can be guessed without a limit")
        if any(numbers(self.option("TIME_SKEW") or "")):
            yield Problem(
                "weak",
                "TIME_SKEW is not 0: the window is shifted by that many steps, and with noskewadj it stays shifted",
            )

    def _line_problems(self) -> Iterable[Problem]:
        seen = set()
        for number, line in enumerate(self._lines[1:], start=2):
            match = _OPTION.fullmatch(line)
            if match and match.group(1) in seen:
                yield Problem(
                    "ignored", f"line {number}: this option is already set above; the PAM module ignores it here"
                )
            elif match:
                seen.add(match.group(1))
            elif _OPTION_WITHOUT_BLANK.match(line):
                yield Problem(
                    "ignored",
                    f'line {number}: an option must start with `"` and one blank; the PAM module ignores this line',
                )
        dead = self._code_lines()[1]
        if dead is not None:
            yield Problem(
                "ignored",
                f"line {dead + 1}: neither an option nor a recovery code; the recovery codes below it do not work",
            )


def _within(values: list[int] | None, limits: list[Range]) -> bool:
    if values is None or len(values) < len(limits):
        return False
    return all(allowed.allows(value) for value, allowed in zip(values, limits))
