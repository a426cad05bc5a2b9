# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Secrets in the wrong place: refused where no secret belongs, and shown nowhere. Private to the collection.

Two judgements. `is_secret` is certain enough to refuse a value for: a key in base32 as tools print it (128 bits or more; 80 bits in
upper case with a digit), or an otpauth URI. `looks_secret` is for what is merely not to be shown: it knows wrong secrets, recovery
codes and tokens, too, and a name of an odd kind may look so.
"""

from __future__ import annotations

import re
from typing import Any, Callable, Iterator

# Options that secrets belong in, at any depth.
SECRET_OPTIONS = ("secret", "recovery_codes", "tokens", "password")
NOT_SHOWN = "(not shown: it looks like a secret)"
MASK = "********"

# Letters and digits without a break, or in groups of four as apps show them.
_RUN = re.compile(
    r"(?<![A-Za-z0-9])(?:[A-Za-z0-9]{16,}|[A-Za-z0-9]{4}(?:[ -][A-Za-z0-9]{4}){3,}(?:[ -][A-Za-z0-9]{1,3})?)(?![A-Za-z0-9])"
)
_URI = re.compile(r"otpauth[a-z-]*:\S+", re.IGNORECASE)
_CODE_OR_TOKEN = re.compile(r"\d{6}|\d{8}|\d{3} \d{3}|\d{4} \d{4}", re.ASCII)
# A roll-out's id, which the controller makes (option rollout_id).
_ROLLOUT_ID = re.compile(r"[0-9a-f]{16}")


def is_secret(text: str) -> bool:
    """Whether a secret stands in a text of one line; one of several lines is a file, and may hold anything."""
    return "\n" not in text.strip() and bool(_certain(text))


def looks_secret(text: str) -> bool:
    """Whether a text that should be a name is better not shown."""
    alike = any(_is_alike(run) for run in _RUN.findall(text))
    return alike or bool(_CODE_OR_TOKEN.fullmatch(text.strip())) or is_secret(text)


def shown(text: str) -> str:
    """A name that nothing is known of, for a message."""
    return NOT_SHOWN if looks_secret(text) else repr(text if len(text) <= 40 else f"{text[:40]}...")


def refusal(places: list[str]) -> str:
    """What to say of places that `misplaced` found."""
    several = f" and {len(places) - 20} more" if len(places) > 20 else ""
    where = "; ".join(filter(None, places[:20])) + several
    return f"{where}{': ' if where else ''}what looks like a secret stands where none belongs (not shown)"


def misplaced(given: Any, place: str = "") -> Iterator[str]:
    """Where in options a secret stands that does not belong there, such as `keys, entry 3: user`."""
    if isinstance(given, dict):
        for name, value in given.items():
            if is_secret(str(name)):
                yield f"{place}: a name in it" if place else "a name in it"
            elif name not in SECRET_OPTIONS:
                yield from misplaced(value, f"{place}: {name}" if place else str(name))
    elif isinstance(given, (list, tuple)):
        for number, element in enumerate(given, 1):
            yield from misplaced(element, f"{place}, entry {number}" if place else f"entry {number}")
    elif _is_scalar(given) and is_secret(str(given)):
        yield place


def hidden(given: Any, is_known: Callable[[str], bool] = lambda _name: False) -> set[str]:
    """What of given options nobody is told; a known name (of an account, a group) is no secret, whatever it looks like."""
    found: set[str] = set()
    for text in _texts(given):
        certain = _certain(text)
        found.update(certain)
        whole = text.strip()
        doubtful = _RUN.fullmatch(whole) and _is_alike(whole) and not _ROLLOUT_ID.fullmatch(whole)
        if is_secret(whole) or ((doubtful or _CODE_OR_TOKEN.fullmatch(whole)) and not is_known(whole)):
            found.add(whole)
    return found


def masked(message: str, given: Any) -> str:
    """A message of somebody else's about given options, without what of them is hidden."""
    for text in sorted(hidden(given), key=len, reverse=True):
        message = message.replace(text, MASK)
    return message


def without_secrets(text: str) -> str:
    """A text of somebody else, with a mask for what certainly is a secret; a text that is only a code or a token is one."""
    if _CODE_OR_TOKEN.fullmatch(text.strip()):
        return MASK
    # A short word after the groups of a key is taken for its last group.
    shorter = {run.rpartition(" ")[0] for run in _RUN.findall(text)}
    for secret in sorted(_certain(text) | set(filter(_is_key, shorter)), key=len, reverse=True):
        text = text.replace(secret, MASK)
    return text


def _texts(given: Any) -> Iterator[str]:
    if isinstance(given, dict):
        for name, value in given.items():
            if not str(name).startswith("_"):  # of this collection or of Ansible, no option
                yield str(name)
                yield from _texts(value)
    elif isinstance(given, (list, tuple)):
        for element in given:
            yield from _texts(element)
    elif _is_scalar(given):
        yield str(given)


def _is_scalar(value: Any) -> bool:
    return isinstance(value, (str, int, float)) and not isinstance(value, bool)


def _certain(text: str) -> set[str]:
    return {run for run in _RUN.findall(text) if _is_key(run)} | set(_URI.findall(text))


def _is_key(run: str) -> bool:
    letters = re.sub("[ -]", "", run)
    if re.fullmatch("[A-Z2-7]+", letters):
        return len(letters) >= 26 or ("-" not in run and _has_digit(letters))  # UNIX-TEAM-PROD-GRP2 is a group
    return bool(re.fullmatch("[a-z2-7]{26,}", letters)) and _has_digit(letters)


def _is_alike(run: str) -> bool:
    """In one case, with a digit or in upper case: a secret with a wrong letter, in hexadecimal, too short, too long."""
    letters = re.sub("[ -]", "", run)
    return letters.isupper() or ((letters.islower() or letters.isdigit()) and _has_digit(letters))


def _has_digit(text: str) -> bool:
    return any(map(str.isdigit, text))
