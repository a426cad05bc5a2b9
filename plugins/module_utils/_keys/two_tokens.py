# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Validation of a pending key by two tokens of two time steps. Private to the collection.

Two tokens prove that the user's device holds the key and that its clock goes with ours: one token alone can be luck, or
come from a device whose clock is about to leave the window. The second token has to lie in the window that the PAM
module applies at the next login, else a validated user could not log in.

What a refusal gives away: `wrong` does not tell which of two tokens was wrong, nor how near. Everything that is more
telling (`clock_off`, `order`, `too_far_apart`, `already_used`) is said only when both tokens belong to the key, which
nobody without the key achieves. The first token alone is judged within 10 minutes either way, because a clock that is
off can be told, and mended, only once the second is there. Wrong tries are limited, and on disk before the answer is
given: five within ten minutes, then none is judged for ten minutes.
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
MEASURED_SECONDS = 600  # how far off a clock may be for us to tell by how much
APART_SECONDS = 300  # between the two tokens


class Validation(NamedTuple):
    first_step: int
    second_step: int
    drift_seconds: int  # of the device's clock, positive when it is ahead; 0 when no drift shows


def check_first(state_dir: StateDir, user: str, first: str, now: float) -> int:
    """Judge the first token alone, so that a person need not wait for the second to hear it was wrong; its step."""
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
    """Turn the pending key into the validated one, both steps burnt. The caller then lets the user join the group."""
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
    """What can be said of two tokens without the key."""
    tokens = token_digits(first), token_digits(second)
    if tokens[0] == tokens[1]:
        raise TokenRefused("same_step", "the same token was given twice; wait until the app shows the next one")
    return tokens


def wait_seconds(key: KeyFile, now: float) -> int:
    """How long no token is judged any more because of wrong tries; 0 if the next one is."""
    tries = _wrong_tries(key, now)
    too_many = len(tries) == MAXIMUM_TRIES and tries[-1] - tries[0] < TRIES_SECONDS
    return max(0, tries[-1] + TRIES_SECONDS - int(now)) if too_many else 0


def require_judgeable(key: KeyFile | None, now: float) -> KeyFile:
    """Refuse where no token can be judged, whatever it is."""
    if key is None:
        raise TokenRefused("no_pending_key", "there is no pending key to validate; provision one first (totp_key)")
    if key.secret is None:
        raise FleetMfaError("the pending key is malformed; give the user a new one (totp_key, state rotated)")
    wait = wait_seconds(key, now)
    if wait:
        raise TokenRefused("too_many_tries", f"too many wrong tokens; try again in {wait} seconds", wait)
    return key


def drift_seconds(step: int, now: float, period: int) -> int:
    """The least by which the device's clock has to be off to show the token of `step` at `now`."""
    if step > step_at(now, period):
        return step * period - int(now)
    return min(0, (step + 1) * period - 1 - int(now))


def _judgeable(state_dir: StateDir, user: str, now: float) -> KeyFile:
    return require_judgeable(state_dir.pending(user), now)


def _wrong_tries(key: KeyFile, now: float) -> list[int]:
    """The latest ones; time stamps of the future are left out, a host's clock may have been wrong."""
    return sorted(stamp for stamp in key.meta_numbers("tries") if stamp <= now)[-MAXIMUM_TRIES:]


def tries_with(key: KeyFile, now: float) -> list[int]:
    """What stands for the wrong tries after one more, for `with_meta(tries=…)`."""
    return [*_wrong_tries(key, now), int(now)][-MAXIMUM_TRIES:]


def _counted_as_wrong(state_dir: StateDir, user: str, key: KeyFile, now: float) -> TokenRefused:
    state_dir.save_pending(user, key.with_meta(tries=tries_with(key, now)))
    return TokenRefused(
        "wrong", "a token is wrong; type the token that the app shows now, and check that it is for this account"
    )


def token_digits(token: str) -> str:
    """Six digits; blanks inside are how some apps show them."""
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
    """A token may belong to several steps by chance: any pair that will do, else the nearest one and what is wrong with it."""
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
