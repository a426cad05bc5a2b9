# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A key given as an otpauth URI (Key Uri Format), which contains all of its parameters. Private to the collection."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.settings import RANGES
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.totp import (
    ALGORITHMS,
    URI_ALGORITHM,
    URI_DIGITS,
    URI_PERIOD,
)

ANY_DIGITS = (6, 7, 8)


class OtpauthKey(NamedTuple):
    """All that a URI says, whether or not a host can take it. Issuer and account are empty if it names none."""

    secret: str
    issuer: str = ""
    account: str = ""
    algorithm: str = URI_ALGORITHM
    digits: int = URI_DIGITS
    period: int = URI_PERIOD


class GivenKey(NamedTuple):
    """What an operator gave; None for what was not given."""

    secret: str
    issuer: str | None = None
    account: str | None = None
    period: int | None = None


def given_key(text: str) -> GivenKey:
    """A secret, or a whole key as otpauth://totp/ISSUER:ACCOUNT?secret=…; no message shows any part of it."""
    if not is_otpauth(text):
        return GivenKey(text)
    key = parse_otpauth(text)
    if key.algorithm != URI_ALGORITHM:
        raise FleetMfaError(
            "the otpauth URI has an algorithm other than SHA1, the only one that the PAM module supports"
        )
    if key.digits != URI_DIGITS:
        raise FleetMfaError("the otpauth URI is for tokens of other than 6 digits; the PAM module supports only 6")
    return GivenKey(key.secret, key.issuer or None, key.account or None, key.period)


def is_otpauth(text: str) -> bool:
    return text.strip().lower().startswith("otpauth:")


def parse_otpauth(text: str) -> OtpauthKey:
    """Any time-based key. The secret is not checked; no message shows any part of the text."""
    if not is_otpauth(text):
        raise FleetMfaError("this is not an otpauth URI (otpauth://totp/ISSUER:ACCOUNT?secret=…)")
    try:
        parts = urlsplit(text.strip())
        values = {name.lower(): found[-1] for name, found in parse_qs(parts.query).items()}
    except ValueError:  # its text may quote the URI
        raise FleetMfaError("the otpauth URI is malformed") from None
    if parts.netloc.lower() != "totp":
        raise FleetMfaError("the otpauth URI is not for a time-based key (otpauth://totp/)")
    if "secret" not in values:
        raise FleetMfaError("the otpauth URI has no secret")
    algorithm = values.get("algorithm", URI_ALGORITHM).upper()
    if algorithm not in ALGORITHMS:
        raise FleetMfaError(f"the algorithm of the otpauth URI must be one of {', '.join(ALGORITHMS)}")
    issuer, account = _label(parts.path.lstrip("/"), values.get("issuer", ""))
    return OtpauthKey(values["secret"].rstrip("="), issuer, account, algorithm, _digits(values), _period(values))


def _label(path: str, issuer: str) -> tuple[str, str]:
    """Issuer and account. The colon between them may be encoded, and others may be in either of them."""
    label = unquote(path)
    if issuer and label.startswith(f"{issuer}:"):
        return issuer, label[len(issuer) + 1 :].strip()
    if ":" in path:
        before, account = map(unquote, path.rsplit(":", 1))
    else:
        before, _colon, account = label.rpartition(":")
    return issuer or before, account.strip()


def _digits(values: dict[str, str]) -> int:
    text = values.get("digits", str(URI_DIGITS))
    if text not in map(str, ANY_DIGITS):
        raise FleetMfaError(f"the digits of the otpauth URI must be {ANY_DIGITS[0]} to {ANY_DIGITS[-1]}")
    return int(text)


def _period(values: dict[str, str]) -> int:
    text, allowed = values.get("period", str(URI_PERIOD)), RANGES["period"]
    if not (text.isascii() and text.isdigit()) or not allowed.allows(int(text)):
        raise FleetMfaError(f"the period of the otpauth URI must be {allowed} seconds")
    return int(text)
