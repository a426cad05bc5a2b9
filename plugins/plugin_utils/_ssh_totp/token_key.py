# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The key that a token is computed from. Private to the collection."""

from __future__ import annotations

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.otpauth import given_key
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.totp import (
    URI_ALGORITHM,
    URI_DIGITS,
    decode_secret,
    token_at,
)


class TokenKey:
    def __init__(self, secret: str, period: int, digits: int = URI_DIGITS, algorithm: str = URI_ALGORITHM):
        self._secret = decode_secret(secret)
        self.period = period
        self._digits, self._algorithm = digits, algorithm

    def __repr__(self) -> str:
        return "TokenKey()"  # the content is secret, even in a traceback

    def token(self, step: int) -> str:
        return token_at(self._secret, step, self._digits, self._algorithm)


def key_of_text(text: str, period: int, option: str) -> TokenKey:
    """A secret in base32, or an otpauth URI, which has its own period."""
    try:
        key = given_key(text)
        return TokenKey(key.secret, key.period or period)
    except FleetMfaError as error:
        raise FleetMfaError(f"{option}: {error}") from None
