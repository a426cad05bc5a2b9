# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Validation of a pending key with two tokens of two time steps. Private to the collection.

Two tokens prove that the user's device has the key and that its clock agrees with ours: one token alone can be a lucky
guess, or come from a device whose clock is about to leave the window. The second token must be in the window that the
PAM module will use at the next login, or a validated user could not log in.

What a refusal reveals: `wrong` does not tell which of the two tokens was wrong, or how close it was. More specific
reasons (`clock_off`, `order`, `too_far_apart`, `already_used`) are given only if both tokens belong to the key, which
nobody without the key achieves. The first token alone is accepted within 10 minutes either way, because a wrong clock
can only be recognized, and corrected, once there is a second token. Wrong tries are limited, and counted on disk before
the result is returned: after five within ten minutes, no token is checked for ten minutes.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.key_file import KeyFile
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.refusals import TokenRefused
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.state_dir import StateDir
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.totp import step_at

MAXIMUM_TRIES = 5
TRIES_SECONDS = 600
MEASURED_SECONDS = 600  # up to this drift of a clock, it can be measured
APART_SECONDS = 300  # between the two tokens


class Validation(NamedTuple):
    first_step: int
    second_step: int
    drift_seconds: int  # of the device's clock, positive if it is ahead; 0 if no drift is visible


def check_first(state_dir: StateDir, user: str, first: str, now: float) -> int:
    """Check the first token alone, so that a person learns that it is wrong before waiting for the second. Returns its
    step."""
    token = token_digits(first)
    with state_dir.lock():
        key = _judgeable(state_dir, user, now)
        steps = key.steps_of(token, _steps_around(key, now))
        if not steps:
            raise _counted_as_wrong(state_dir, user, key, now)
        if set(steps) <= set(key.used_steps):
            raise _already_used()
        return steps[0]


def validate(state_dir: StateDir, user: str, first: str, second: str, now: float) -> Validation:
    """Make the pending key the validated one and burn both steps. The caller then adds the user to the group."""
    tokens = well_formed_tokens(first, second)
    with state_dir.lock():
        key = _judgeable(state_dir, user, now)
        pairs = _matching_pairs(key, tokens, now)
        if not pairs:
            raise _counted_as_wrong(state_dir, user, key, now)
        pair, refusal = _best(key, pairs, now)
        if refusal is not None:
            raise refusal
        drift = drift_seconds(pair[1], now, key.period)
        proven = key.with_burnt(pair).with_meta(since=int(now), drift_seconds=drift, tries=None, was_validated=True)
        state_dir.promote(user, proven)
        return Validation(*pair, drift)


def well_formed_tokens(first: str, second: str) -> tuple[str, str]:
    """The checks of two tokens that need no key."""
    tokens = token_digits(first), token_digits(second)
    if tokens[0] == tokens[1]:
        raise TokenRefused("same_step", "the same token was given twice; wait until the app shows the next one")
    return tokens


def wait_seconds(key: KeyFile, now: float) -> int:
    """For how many seconds no token is checked because of wrong tries; 0 if the next one is checked."""
    tries = _wrong_tries(key, now)
    too_many = len(tries) == MAXIMUM_TRIES and tries[-1] - tries[0] < TRIES_SECONDS
    return max(0, tries[-1] + TRIES_SECONDS - int(now)) if too_many else 0


def require_judgeable(key: KeyFile | None, now: float) -> KeyFile:
    """Refuse if no token can be checked at all."""
    if key is None:
        raise TokenRefused("no_pending_key", "there is no pending key to validate; provision one first (totp_key)")
    if key.secret is None:
        raise FleetMfaError("the pending key is malformed; give the user a new one (totp_key, state rotated)")
    wait = wait_seconds(key, now)
    if wait:
        raise TokenRefused("too_many_tries", f"too many wrong tokens; try again in {wait} seconds", wait)
    return key


def drift_seconds(step: int, now: float, period: int) -> int:
    """The minimum by which the device's clock is off if it shows the token of `step` at `now`."""
    if step > step_at(now, period):
        return step * period - int(now)
    return min(0, (step + 1) * period - 1 - int(now))


def _judgeable(state_dir: StateDir, user: str, now: float) -> KeyFile:
    return require_judgeable(state_dir.pending(user), now)


def _wrong_tries(key: KeyFile, now: float) -> list[int]:
    """The latest ones; time stamps in the future are ignored, since the host's clock may have been wrong."""
    return sorted(stamp for stamp in key.meta_numbers("tries") if stamp <= now)[-MAXIMUM_TRIES:]


def tries_with(key: KeyFile, now: float) -> list[int]:
    """The stored wrong tries after one more, for `with_meta(tries=…)`."""
    return [*_wrong_tries(key, now), int(now)][-MAXIMUM_TRIES:]


def _counted_as_wrong(state_dir: StateDir, user: str, key: KeyFile, now: float) -> TokenRefused:
    state_dir.save_pending(user, key.with_meta(tries=tries_with(key, now)))
    return TokenRefused(
        "wrong", "a token is wrong; type the token that the app shows now, and check that it is for this account"
    )


def token_digits(token: str) -> str:
    """Six digits; some apps show them with a blank inside."""
    digits = "".join(token.split())
    if not re.fullmatch(r"[0-9]{6}", digits):
        raise TokenRefused("malformed", "a token must have six digits")
    return digits


def _steps_around(key: KeyFile, now: float, before: int = 0) -> range:
    reach = max(MEASURED_SECONDS // key.period, key.window)
    middle = step_at(now, key.period) + key.time_skew
    return range(middle - reach - before // key.period, middle + reach + 1)


def _matching_pairs(key: KeyFile, tokens: tuple[str, str], now: float) -> list[tuple[int, int]]:
    """Every pair of steps that the two tokens may come from, the one nearest to now first."""
    firsts = key.steps_of(tokens[0], _steps_around(key, now, before=APART_SECONDS))
    seconds = key.steps_of(tokens[1], _steps_around(key, now))
    middle = step_at(now, key.period)
    pairs = [(a, b) for a in firsts for b in seconds]
    return sorted(pairs, key=lambda pair: abs(pair[1] - middle) + abs(pair[0] - pair[1]))


def _best(key: KeyFile, pairs: list[tuple[int, int]], now: float) -> tuple[tuple[int, int], TokenRefused | None]:
    """A token may belong to several steps by chance: returns any acceptable pair, otherwise the nearest one and what is
    wrong with it."""
    judged = [(pair, _refusal(key, pair, now)) for pair in pairs]
    return next((one for one in judged if one[1] is None), judged[0])


def _refusal(key: KeyFile, pair: tuple[int, int], now: float) -> TokenRefused | None:
    first, second = pair
    if second < first:
        return TokenRefused(
            "order", "the second token is older than the first; give them in the order in which the app showed them"
        )
    if (second - first) * key.period > APART_SECONDS:
        message = f"more than {APART_SECONDS} seconds between the tokens; give two newer ones"
        return TokenRefused("too_far_apart", message)
    if second not in key.accepted_steps(now):
        drift = drift_seconds(second, now, key.period)
        return TokenRefused("clock_off", _clock_off(drift), drift)
    if not {first, second}.isdisjoint(key.used_steps):
        return _already_used()
    return None


def _clock_off(drift: int) -> str:
    direction = "ahead of" if drift > 0 else "behind"
    return (
        f"the clock of the device is about {abs(drift)} seconds {direction} the host's, or the tokens are that old; "
        "set both clocks from network time and give two new tokens"
    )


def _already_used() -> TokenRefused:
    return TokenRefused("already_used", "a token was used before; wait until the app shows the next one")
