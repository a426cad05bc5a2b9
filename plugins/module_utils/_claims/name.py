# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The name under which a used token, or recovery code, is claimed in the fleet. Private.

It is an HMAC with a key that is derived from the user's secret. So every host that has the user's key computes the same name,
whatever the user's account is called there, and nobody else can: whoever reads the store can neither test guesses of a secret
(128 bits or more), nor tell whose claim one is, nor which two claims are of the same user.
"""

from __future__ import annotations

import base64
import hmac

from ansible_collections.fleetmfa.ssh.plugins.module_utils._claims.settings import read_bytes
from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError

# Not a message that a token is computed from: those have 8 bytes (RFC 4226).
_PURPOSE = b"fleetmfa.ssh: key for the names of claims"
DEFAULT_PERIOD, DEFAULT_WINDOW = 30, 3  # of pam_google_authenticator, as in key_file.py


class ClaimingKey:
    """What a claim needs to know of a key file: the secret, and for how long a token is accepted."""

    def __init__(self, content: bytes):
        lines = content.decode("utf-8", "replace").splitlines()
        self._secret = _decoded(lines[0] if lines else "")
        self.accepted_seconds = _number(lines, "WINDOW_SIZE", DEFAULT_WINDOW) * _number(
            lines, "STEP_SIZE", DEFAULT_PERIOD
        )

    @classmethod
    def read(cls, path: str) -> ClaimingKey:
        try:
            return cls(read_bytes(path))
        except OSError as error:
            raise FleetMfaError(f"{path} cannot be read ({type(error).__name__})") from None

    def claim_name(self, used: str) -> str:
        """`used` is the number of a time step, or `r` and the remainder of a recovery code, as the guard records them."""
        derived = hmac.digest(self._secret, _PURPOSE, "sha256")
        return hmac.new(derived, used.encode("ascii"), "sha256").hexdigest()


def _decoded(text: str) -> bytes:
    """The bytes of the secret: two spellings of it are one secret."""
    letters = text.strip().upper()
    try:
        secret = base64.b32decode(letters + "=" * (-len(letters) % 8))
    except ValueError:
        secret = b""
    if not secret:
        raise FleetMfaError("the first line of the key file is not a secret")
    return secret


def _number(lines: list[str], option: str, default: int) -> int:
    for line in lines[1:]:
        words = line.split()
        if words[:2] == ['"', option] and len(words) > 2 and words[2].isdigit():
            return int(words[2])
    return default
