# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A key given as an otpauth URI (Key Uri Format), which contains all of its parameters. Private to the collection."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.settings import RANGES
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.totp import URI_DIGITS, URI_PERIOD


class GivenKey(NamedTuple):
    """What an operator gave; None for what was not given."""

    secret: str
    issuer: str | None = None
    account: str | None = None
    period: int | None = None


def given_key(text: str) -> GivenKey:
    """A secret, or a whole key as otpauth://totp/ISSUER:ACCOUNT?secret=…; no message shows any part of it."""
    if not text.strip().lower().startswith("otpauth:"):
        return GivenKey(text)
    try:
        parts = urlsplit(text.strip())
        values = {name.lower(): found[-1] for name, found in parse_qs(parts.query).items()}
    except ValueError:  # its text may quote the URI
        raise FleetMfaError("the otpauth URI is malformed") from None
    if parts.netloc.lower() != "totp":
        raise FleetMfaError("the otpauth URI is not for a time-based key (otpauth://totp/)")
    if "secret" not in values:
        raise FleetMfaError("the otpauth URI has no secret")
    if values.get("algorithm", "SHA1").upper() != "SHA1":
        raise FleetMfaError(
            "the otpauth URI has an algorithm other than SHA1, the only one that the PAM module supports"
        )
    if values.get("digits", str(URI_DIGITS)) != str(URI_DIGITS):
        raise FleetMfaError("the otpauth URI is for tokens of other than 6 digits; the PAM module supports only 6")
    label = unquote(parts.path.lstrip("/"))
    before, _colon, account = label.rpartition(":")
    issuer = values.get("issuer") or before
    return GivenKey(values["secret"].rstrip("="), issuer or None, account.strip() or None, _period(values))


def _period(values: dict[str, str]) -> int:
    text, allowed = values.get("period", str(URI_PERIOD)), RANGES["period"]
    if not text.isdigit() or not allowed.allows(int(text)):
        raise FleetMfaError(f"the period of the otpauth URI must be {allowed} seconds")
    return int(text)
