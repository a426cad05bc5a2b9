# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Names for keys and recovery codes that do not reveal them, the same on every host and in the key store. Private."""

from __future__ import annotations

import hashlib
import hmac

_DIGITS = 16  # hexadecimal; enough to tell the few keys of one person apart


def key_id(secret: bytes, period: int) -> str:
    """The id of a key. Secret and period make a key: with both equal, one entry in an authenticator app serves both."""
    return hashlib.sha256(b"fleetmfa key %d " % period + secret).hexdigest()[:_DIGITS]


def code_id(secret: bytes, code: str) -> str:
    """The id of a recovery code of the key with this secret.

    It hides the code only from somebody who does not have the secret: there are few enough codes to try all of them.
    """
    return hmac.new(secret, b"fleetmfa code " + code.encode(), hashlib.sha256).hexdigest()[:_DIGITS]
