# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Secrets generated for one run of the test, and the search for them in every form in which they could leak."""

from __future__ import annotations

import base64
import re
import secrets
from typing import Any, Callable

import pyotp

# Half of a secret is a leak as well: it leaves 80 bits to guess, and shows that the other half was there.
_HALF = 16
# At least one letter, so that it is not a recovery code.
_HEXADECIMAL_ID = re.compile(rb"\b(?=\d*[a-f])[0-9a-f]{8,}\b")


class Markers:
    """The secrets that must not be found anywhere, each with a name that tells where it came from."""

    def __init__(self):
        self._searches: list[tuple[str, Callable[[Haystack], bool]]] = []

    def secret(self, name: str) -> str:
        return self.known_secret(name, pyotp.random_base32())

    def known_secret(self, name: str, secret: str) -> str:
        forms = [secret.encode(), base64.b32decode(secret)]
        letters = [secret[:_HALF].encode(), secret[_HALF:].encode(), *(form.hex().upper().encode() for form in forms)]
        others = [forms[1], *_base64(forms[0]), *_base64(forms[1])]
        self._add(f"secret {name}", lambda hay: hay.has_letters(letters) or hay.has(others))
        return secret

    def text(self, name: str, text: str) -> str:
        """A secret that is not base32, since it is an invalid one."""
        self._add(f"text {name}", lambda hay: hay.has_letters([text.upper().encode()]))
        return text

    def code(self, name: str) -> str:
        # None that could be the day of a time stamp.
        return self.known_code(name, str(secrets.choice(range(30_000_000, 99_999_999))))

    def known_code(self, name: str, code: str) -> str:
        self._add(f"recovery code {name}", lambda hay: hay.has_number(code))
        return code

    def token(self, name: str) -> str:
        """Six digits; the leading 0 distinguishes them from process ids and the like."""
        return self.known_token(name, f"0{secrets.randbelow(100_000):05}")

    def known_token(self, name: str, token: str) -> str:
        self._add(f"token {name}", lambda hay: hay.has_number(token))
        return token

    def misplaced(self, what: str, name: str) -> Any:
        """A secret of a kind that misplacements.yml names."""
        name = f"misplaced {name}"
        if what in ("code", "token"):
            return getattr(self, what)(name)
        if what == "number":
            return int(self.text(name, f"7{secrets.randbelow(10**21):021}"))
        if what in ("wrong", "small"):
            letters = pyotp.random_base32()
            return self.text(name, f"{letters[:30]}71" if what == "wrong" else f"{letters[:15].lower()}7")
        if what == "short":
            return self.text(name, f"{pyotp.random_base32()[:15]}7")
        secret = pyotp.random_base32()
        while secret.isalpha():  # in lower case that is a name, for all anybody knows
            secret = pyotp.random_base32()
        self.known_secret(name, secret)
        grouped = " ".join(secret[start : start + 4] for start in range(0, len(secret), 4))
        uri = f"otpauth://totp/SSH:alice?secret={secret}&issuer=SSH"
        return {"secret": secret, "lower": secret.lower(), "grouped": grouped, "uri": uri}[what]

    def _add(self, name: str, search: Callable[[Haystack], bool]) -> None:
        self._searches.append((name, search))

    def found_in(self, data: bytes) -> set[str]:
        hay = Haystack(data)
        return {name for name, search in self._searches if search(hay)}


class Haystack:
    def __init__(self, data: bytes):
        self._data = data
        # Base32 and hexadecimal are blind to case and often written in groups: blanks, dashes and line ends go.
        self._letters = re.sub(rb"%20|\\n|[^A-Za-z0-9]", b"", data).upper()
        # Not parts of longer numbers, of a fraction of a second or of an id, as every journal entry has; a token may have
        # a blank in the middle.
        found = re.findall(rb"(?<![\d.-])(\d{6}|\d{8}|\d{3} \d{3})(?![\d-])", _HEXADECIMAL_ID.sub(b"", data))
        self._numbers = {number.replace(b" ", b"").decode() for number in found}

    def has(self, needles: list[bytes]) -> bool:
        return any(needle in self._data for needle in needles)

    def has_letters(self, needles: list[bytes]) -> bool:
        return any(needle in self._letters for needle in needles)

    def has_number(self, number: str) -> bool:
        return number in self._numbers


def _base64(data: bytes) -> set[bytes]:
    """At any position in a longer text, in both alphabets."""
    shifted = [base64.b64encode(bytes(shift) + data) for shift in range(3)]
    inner = [text[(8 * shift + 5) // 6 : 8 * (shift + len(data)) // 6] for shift, text in enumerate(shifted)]
    return {*inner, *(text.replace(b"+", b"-").replace(b"/", b"_") for text in inner)}
