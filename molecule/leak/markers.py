# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the fleetmfa.ssh authors
"""Secrets made for one run of the test, and the search for them in every form in which they could get out."""

from __future__ import annotations

import base64
import re
import secrets
from typing import Callable

import pyotp

# Half of a secret is a leak as well: it leaves 80 bits to guess, and shows that the other half was there.
_HALF = 16


class Markers:
    """The secrets that are to be found nowhere, each with a name that tells where it came from."""

    def __init__(self):
        self._searches: list[tuple[str, Callable[[Haystack], bool]]] = []

    def secret(self, name: str) -> str:
        return self.known_secret(name, pyotp.random_base32())

    def known_secret(self, name: str, secret: str) -> str:
        halves = [secret[:_HALF].encode(), secret[_HALF:].encode()]
        whole = [form for data in (secret.encode(), base64.b32decode(secret)) for form in _encoded(data)]
        self._add(f"secret {name}", lambda hay: hay.has_text(halves) or hay.has(whole))
        return secret

    def text(self, name: str, text: str) -> str:
        """A secret that is none of base32, because it is a wrong one."""
        self._add(f"text {name}", lambda hay: hay.has_text([text.upper().encode()]))
        return text

    def code(self, name: str) -> str:
        # None that could be the day of a time stamp.
        return self.known_code(name, str(secrets.choice(range(30_000_000, 99_999_999))))

    def known_code(self, name: str, code: str) -> str:
        self._add(f"recovery code {name}", lambda hay: hay.has_number(code))
        return code

    def token(self, name: str) -> str:
        """Six digits; the leading 0 tells them from process numbers and the like."""
        return self.known_token(name, f"0{secrets.randbelow(100_000):05}")

    def known_token(self, name: str, token: str) -> str:
        self._add(f"token {name}", lambda hay: hay.has_number(token) or hay.has_number(f"{token[:3]} {token[3:]}"))
        return token

    def _add(self, name: str, search: Callable[[Haystack], bool]) -> None:
        self._searches.append((name, search))

    def found_in(self, data: bytes) -> set[str]:
        hay = Haystack(data)
        return {name for name, search in self._searches if search(hay)}


class Haystack:
    def __init__(self, data: bytes):
        self._data = data
        # Base32 is blind to case and often written in groups, so blanks, dashes, line ends and what stands for them go.
        self._letters = re.sub(rb"%20|\\n|[^A-Za-z0-9]", b"", data).upper()

    def has(self, needles: list[bytes]) -> bool:
        return any(needle in self._data for needle in needles)

    def has_text(self, needles: list[bytes]) -> bool:
        return any(needle in self._letters for needle in needles)

    def has_number(self, number: str) -> bool:
        """Not as a part of a longer number or of a fraction of a second."""
        return re.search(rb"(?<![\d.-])" + number.encode() + rb"(?![\d-])", self._data) is not None


def _encoded(data: bytes) -> list[bytes]:
    """Raw, hexadecimal, and base64 wherever it begins in a longer text."""
    shifted = [base64.b64encode(bytes(shift) + data) for shift in range(3)]
    inner = [text[(8 * shift + 5) // 6 : 8 * (shift + len(data)) // 6] for shift, text in enumerate(shifted)]
    urlsafe = [text.replace(b"+", b"-").replace(b"/", b"_") for text in inner]
    return [data, data.hex().encode(), data.hex().upper().encode(), *inner, *urlsafe]
