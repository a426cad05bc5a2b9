# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""How a user proves to have the validated key: with a token of it, or a recovery code, which is used up. Private.

Wrong ones are limited as in a validation, and counted on disk before the result is returned. The caller holds the lock.
"""

from __future__ import annotations

import re

from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.key_file import KeyFile
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.refusals import TokenRefused
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.state_dir import StateDir
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.two_tokens import (
    token_digits,
    tries_with,
    wait_seconds,
)


def spend_token_or_code(state: StateDir, user: str, answer: str, now: float) -> None:
    """Accepts the same as a login: the phone may be lost, which is why there is a new key."""
    code = "".join(answer.split())
    if re.fullmatch(r"[0-9]{8}", code):
        _spend_code(state, user, code, now)
    else:
        spend_token(state, user, answer, now)


def spend_token(state: StateDir, user: str, token: str, now: float) -> None:
    """Use up a token that a login would accept now, so that neither a login nor another request can use it."""
    digits = token_digits(token)
    key = _judgeable(state, user, now)
    steps = key.steps_of(digits, key.accepted_steps(now))
    if not steps:
        raise _counted_as_wrong(state, user, key, now)
    unused = [step for step in steps if step not in key.used_steps]
    if not unused or not state.claim_step(user, unused[0]):
        raise _used_before()
    state.converge_validated(user, lambda key: key and key.with_burnt(unused[:1]))


def _spend_code(state: StateDir, user: str, code: str, now: float) -> None:
    key = _judgeable(state, user, now)
    if code not in key.recovery_codes or key.has_expired(code, now):
        raise _counted_as_wrong(state, user, key, now)
    seen: list[KeyFile] = []

    def without_code(key: KeyFile | None) -> KeyFile | None:
        if key is None or code not in key.recovery_codes:
            return key
        seen.append(key)
        return key.with_recovery_codes(other for other in key.recovery_codes if other != code)

    state.converge_validated(user, without_code)
    if not seen:
        raise _used_before()  # by a login, after our check
    state.notices.tell(user, "recovery_code_used", recovery_codes=len(seen[0].recovery_codes) - 1)


def _judgeable(state: StateDir, user: str, now: float) -> KeyFile:
    key = state.validated(user)
    if key is None or key.secret is None:
        raise TokenRefused("no_validated_key", "there is no validated key")
    wait = wait_seconds(key, now)
    if wait:
        raise TokenRefused("too_many_tries", "too many wrong tokens", wait)
    return key


def _counted_as_wrong(state: StateDir, user: str, key: KeyFile, now: float) -> TokenRefused:
    tries = tries_with(key, now)
    state.converge_validated(user, lambda key: key and key.with_meta(tries=tries))
    return TokenRefused("wrong", "the token is wrong")


def _used_before() -> TokenRefused:
    return TokenRefused("already_used", "the token was used before")
