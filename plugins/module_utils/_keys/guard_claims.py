# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Claims a token's step in the same records as the exactly-once guard, so that no token serves twice. Private.

The records are those of the role's totp-guard (docs/guard.md): lines about attempts, which stay unchanged, then one
`lent NAME` if a login under another spelling of the user's name may have left a copy of the key, one `fell_back TIME`
if a login was let in without a claim in the fleet (docs/claims.md), one `last_login TIME` after a login with a token or
a recovery code, those about wrong tokens (guard_lock.py), one `last_from ADDRESS` and one about the login before the last
(previous_login.py), one `remembered` with four words for each login that is not asked again (docs/remember.md), then one
`claimed STEP...`. A step of a second device's key is written sSTEP (docs/second_device.md).
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Iterable, Iterator

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.files import read_file, write_file
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.lock import lock_within

_LOCK_WITHIN = 5  # seconds, the same as in totp-guard
_CLAIMED = b"claimed"
_SECOND = b"s"
_LENT = b"lent "
_FELL_BACK = b"fell_back "
_ATTEMPTS = (b"open ", b"over ")
_LAST_LOGIN = b"last_login "
_COUNTED = (*_ATTEMPTS, b"wrong ", b"locked ")
_REMEMBERED, _WORDS_OF_ONE = b"remembered ", 4


def claim_step(folder: str, user: str, step: int) -> bool:
    """Returns False if a login has already claimed the step; afterwards none can."""
    with locked(folder, user):
        lines = _lines(folder, user)
        if str(step).encode() in _claimed(lines):
            return False
        _write(folder, user, _with_claims(lines, [str(step).encode()]))
        return True


def claim_steps(folder: str, user: str, steps: Iterable[int]) -> None:
    """No login can claim these steps any more."""
    with locked(folder, user):
        _claim_all(folder, user, [b"%d" % step for step in steps])


def claim_second(folder: str, user: str, steps: Iterable[int]) -> None:
    """No login can claim these steps of the second device any more."""
    with locked(folder, user):
        _claim_all(folder, user, [b"s%d" % step for step in steps])


def adopt_second(folder: str, user: str, steps: Iterable[int]) -> None:
    """The second key is becoming the first one: no login can claim with it what was claimed before, or these steps. The caller
    has locked the record."""
    _claim_all(folder, user, [*_twins(_claimed(_lines(folder, user))), *(b"%d" % step for step in steps)])


def has_second(folder: str, user: str) -> bool:
    return any(word.startswith(_SECOND) for word in _claimed(_lines(folder, user)))


def forget_first(folder: str, user: str) -> None:
    """Another key has become the first one. Claims of the second device stay, and count for the first one too, since it may have
    the same key now."""
    with locked(folder, user):
        words = [word for word in _claimed(_lines(folder, user)) if word.startswith(_SECOND)]
        _write(folder, user, _with_claims([], [*words, *_twins(words)]))


def _claim_all(folder: str, user: str, words: Iterable[bytes]) -> None:
    lines = _lines(folder, user)
    new = [word for word in words if word not in _claimed(lines)]
    if new:
        _write(folder, user, _with_claims(lines, new))


def _twins(claimed: Iterable[bytes]) -> list[bytes]:
    return [word[len(_SECOND) :] for word in claimed if word.startswith(_SECOND)]


def _claimed(lines: Iterable[bytes]) -> list[bytes]:
    return [word for line in lines if line.startswith(_CLAIMED) for word in line.split()[1:]]


def _with_claims(lines: list[bytes], words: Iterable[bytes]) -> list[bytes]:
    others = [line for line in lines if not line.startswith(_CLAIMED)]
    return [*others, b" ".join([_CLAIMED, *_claimed(lines), *words])]


def attempts(folder: str, user: str) -> int:
    """How many attempts are on record; some of them may be too old to count."""
    return sum(line.startswith(_ATTEMPTS) for line in _lines(folder, user))


def forget_attempts(folder: str, user: str) -> None:
    """None counts for a limit any more, wrong tokens neither, and prompts that are open are refused. Claims stay."""
    with locked(folder, user):
        lines = _lines(folder, user)
        left = [line for line in lines if not line.startswith(_COUNTED)]
        if left != lines:
            _write(folder, user, left)


def remembered(folder: str, user: str) -> int:
    """How many SSH keys and addresses are remembered; some of them may be too old to count."""
    return sum(len(line.split()[1:]) for line in _lines(folder, user) if line.startswith(_REMEMBERED)) // _WORDS_OF_ONE


def forget_remembered(folder: str, user: str) -> None:
    """Each login is asked for a token again."""
    with locked(folder, user):
        lines = _lines(folder, user)
        left = [line for line in lines if not line.startswith(_REMEMBERED)]
        if left != lines:
            _write(folder, user, left)


@contextlib.contextmanager
def locked(folder: str, user: str) -> Iterator[None]:
    """No login can claim anything meanwhile, and none begins."""
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


def words_of_lines(folder: str, user: str) -> dict[bytes, list[bytes]]:
    """The other words of the last line that begins with each word."""
    return {line.split()[0]: line.split()[1:] for line in _lines(folder, user) if line.split()}


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
