# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""TOTP keys and their tokens (RFC 4226, RFC 6238). Hosts take only SHA1 and six digits. Private to the collection."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from typing import Iterable
from urllib.parse import quote

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError

SECRET_BITS = 160
MINIMUM_BITS = 128  # RFC 4226, requirement R6
MAXIMUM_BITS = 1024

# Defaults of the Key Uri Format.
URI_DIGITS, URI_PERIOD, URI_ALGORITHM = 6, 30, "SHA1"

ALGORITHMS = {"SHA1": hashlib.sha1, "SHA256": hashlib.sha256, "SHA512": hashlib.sha512}

_SEPARATORS = re.compile(r"[ -]")
_BASE32 = re.compile(r"[A-Za-z2-7]+")
# Only these remainders of the length give whole bytes; with any other, a letter is missing.
_WHOLE_BYTES = {0: "", 2: "======", 4: "====", 5: "===", 7: "="}


def generate_secret() -> str:
    """A new secret in base32, 160 bits as recommended by RFC 4226."""
    return base64.b32encode(secrets.token_bytes(SECRET_BITS // 8)).decode("ascii")


def canonical_secret(text: str) -> str:
    """The secret as written in key files and URIs, after the checks of `decode_secret`."""
    decode_secret(text)
    return _without_separators(text).upper()


def decode_secret(text: str) -> bytes:
    """The bytes of a base32 secret; upper or lower case, in groups with blanks or dashes as authenticator apps show it.

    The digits 0, 1 and 8 are refused, not guessed: apps and the PAM module read them as different letters. So is `=`:
    the PAM module denies every login with a padded secret. No message shows any part of the secret.
    """
    letters = _without_separators(text)
    if "=" in letters:
        raise FleetMfaError("the secret ends in '=' padding, which the PAM module does not accept; leave out the '='")
    if not _BASE32.fullmatch(letters):
        raise FleetMfaError("the secret is not base32; it may contain only the letters A to Z and the digits 2 to 7")
    if len(letters) % 8 not in _WHOLE_BYTES:
        raise FleetMfaError("the secret has a length that base32 cannot have; a letter is missing or extra")
    secret = base64.b32decode(letters.upper() + _WHOLE_BYTES[len(letters) % 8])
    bits = len(secret) * 8
    if not MINIMUM_BITS <= bits <= MAXIMUM_BITS:
        raise FleetMfaError(
            f"the secret has {bits} bits; it must have at least {MINIMUM_BITS} (RFC 4226) and at most {MAXIMUM_BITS}"
        )
    return secret


def _without_separators(text: str) -> str:
    return _SEPARATORS.sub("", text.strip())


def check_label(text: str, what: str) -> str:
    """An issuer or account that authenticator apps show unchanged; the Key Uri Format allows no colon in it."""
    if not text or not text.isprintable() or ":" in text or len(text) > 100:
        raise FleetMfaError(f"{what} must be 1 to 100 printable characters without a colon")
    return text


def step_at(time: float, period: int = URI_PERIOD) -> int:
    """The number of the time step that contains `time` (seconds since the epoch)."""
    return int(time) // period


def token_at(secret: bytes, step: int, digits: int = URI_DIGITS, algorithm: str = URI_ALGORITHM) -> str:
    """The token of one time step (the HOTP value of RFC 4226 with the step as counter)."""
    digest = hmac.new(secret, step.to_bytes(8, "big"), ALGORITHMS[algorithm]).digest()
    offset = digest[-1] & 0x0F
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF
    return str(number % 10**digits).zfill(digits)


def matching_steps(secret: bytes, token: str, steps: Iterable[int]) -> list[int]:
    """Those of `steps` whose token this is. All are computed, so the time taken reveals nothing about the token."""
    wanted = token.encode("ascii")
    return [step for step in steps if step >= 0 and hmac.compare_digest(token_at(secret, step).encode("ascii"), wanted)]


def otpauth_uri(
    secret: str,
    issuer: str,
    account: str,
    digits: int = URI_DIGITS,
    period: int = URI_PERIOD,
    algorithm: str = URI_ALGORITHM,
) -> str:
    """What an authenticator app reads from the QR code (Key Uri Format).

    Parameters with default values are omitted: every app assumes them, and a shorter text gives a QR code that fits on
    24 lines.
    """
    label = f"{quote(issuer, safe='')}:{quote(account, safe='@')}"
    parameters = f"secret={canonical_secret(secret)}&issuer={quote(issuer, safe='')}"
    if algorithm != URI_ALGORITHM:
        parameters += f"&algorithm={algorithm}"
    if digits != URI_DIGITS:
        parameters += f"&digits={digits}"
    if period != URI_PERIOD:
        parameters += f"&period={period}"
    return f"otpauth://totp/{label}?{parameters}"
