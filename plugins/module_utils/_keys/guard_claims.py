# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Claims a token's step in the same records as the exactly-once guard, so that no token serves twice. Private.

The records are those of the role's totp-guard (docs/guard.md): lines about attempts, which stay unchanged, then one
`lent NAME` if a login under another spelling of the user's name may have left a copy of the key, one `fell_back TIME`
if a login was let in without a claim in the fleet (docs/claims.md), one `last_login TIME` after a login with a token or
a recovery code, then one `claimed STEP...`.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Iterator

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.files import read_file, write_file
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.lock import lock_within

_LOCK_WITHIN = 5  # seconds, the same as in totp-guard
_CLAIMED = b"claimed"
_LENT = b"lent "
_FELL_BACK = b"fell_back "
_ATTEMPTS = (b"open ", b"over ")
_LAST_LOGIN = b"last_login "


def claim_step(folder: str, user: str, step: int) -> bool:
    """Returns False if a login has already claimed the step; afterwards none can."""
    with _locked(folder, user):
        lines = _lines(folder, user)
        claimed = [word for line in lines if line.startswith(_CLAIMED) for word in line.split()[1:]]
        if str(step).encode() in claimed:
            return False
        attempts = [line for line in lines if not line.startswith(_CLAIMED)]
        _write(folder, user, [*attempts, b" ".join([_CLAIMED, *claimed, str(step).encode()])])
        return True


def attempts(folder: str, user: str) -> int:
    """How many attempts are on record; some of them may be too old to count."""
    return sum(line.startswith(_ATTEMPTS) for line in _lines(folder, user))


def forget_attempts(folder: str, user: str) -> None:
    """None counts for the rate limit any more, and prompts that are open are refused. Claims stay."""
    with _locked(folder, user):
        lines = _lines(folder, user)
        left = [line for line in lines if not line.startswith(_ATTEMPTS)]
        if left != lines:
            _write(folder, user, left)


@contextlib.contextmanager
def _locked(folder: str, user: str) -> Iterator[None]:
    descriptor = os.open(Path(folder) / f".{user}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        if not lock_within(descriptor, _LOCK_WITHIN):
            raise FleetMfaError(f"the guard's record of {user} is in use; try again")
        yield
    finally:
        os.close(descriptor)


def _lines(folder: str, user: str) -> list[bytes]:
    return (read_file(str(Path(folder) / user)) or b"").splitlines()


def _write(folder: str, user: str, lines: list[bytes]) -> None:
    write_file(str(Path(folder) / user), b"\n".join(lines) + b"\n", 0o600)


def lent_name(folder: str, user: str) -> str | None:
    """The spelling under which the guard has linked the user's key."""
    lent = _recorded(folder, user, _LENT)
    return None if lent is None else lent.decode("utf-8", "surrogateescape")


def last_fallback(folder: str, user: str) -> int | None:
    """When the user was last let in although the claim store had not answered, in seconds since the epoch."""
    return _time(_recorded(folder, user, _FELL_BACK))


def last_login(folder: str, user: str) -> int | None:
    """When the guard last let a login with a token or a recovery code continue, in seconds since the epoch."""
    return _time(_recorded(folder, user, _LAST_LOGIN))


def _time(text: bytes | None) -> int | None:
    return int(text) if text is not None and text.isdigit() else None


def _recorded(folder: str, user: str, name: bytes) -> bytes | None:
    for line in _lines(folder, user):
        if line.startswith(name):
            return line[len(name) :]
    return None
