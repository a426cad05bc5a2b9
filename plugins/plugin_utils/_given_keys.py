# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Reads keys that an operator gives to import, as entries of a list or as lines of a file. Private to the collection."""

from __future__ import annotations

from typing import Any, Callable, Iterable, NamedTuple

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.foreign_key import ForeignKey, NotImported, foreign_key
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.otpauth import given_key
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.settings import RANGES
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.state_dir import check_user_name
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.totp import URI_PERIOD, canonical_secret, check_label
from ansible_collections.fleetmfa.ssh.plugins.module_utils._misplaced import looks_secret

STATES = ("pending", "validated")
ENTRY = ("user", "secret", "state", "issuer", "account", "recovery_codes")


class GivenToImport(NamedTuple):
    """`state` is None if the entry does not say it."""

    key: ForeignKey
    state: str | None


def read_entries(entries: Iterable[Any]) -> tuple[list[GivenToImport], list[NotImported]]:
    return _read((f"keys, entry {number}", _of_entry, entry) for number, entry in enumerate(entries, 1))


def read_lines(path: str, text: str) -> tuple[list[GivenToImport], list[NotImported]]:
    """One otpauth URI a line; empty lines and those that begin with # are skipped."""
    lines = ((number, line.strip()) for number, line in enumerate(text.splitlines(), 1))
    wanted = ((number, line) for number, line in lines if line and not line.startswith("#"))
    return _read((f"{path}, line {number}", _of_line, line) for number, line in wanted)


def _read(
    places: Iterable[tuple[str, Callable[[str, Any], GivenToImport], Any]],
) -> tuple[list[GivenToImport], list[NotImported]]:
    found: list[GivenToImport] = []
    refused: list[NotImported] = []
    for place, read, value in places:
        try:
            found.append(read(place, value))
        except FleetMfaError as error:
            refused.append(NotImported(_user_of(value), place, str(error)))
    return found, refused


def _user_of(value: Any) -> str:
    """For a report; what looks like a secret is in the wrong field."""
    user = value.get("user") if isinstance(value, dict) else None
    return user if isinstance(user, str) and not looks_secret(user) else ""


def _of_line(place: str, line: str) -> GivenToImport:
    if not line.lower().startswith("otpauth://"):
        raise FleetMfaError("the line is not an otpauth URI (otpauth://totp/ISSUER:ACCOUNT?secret=…)")
    return _of_entry(place, {"secret": line})


def _of_entry(place: str, entry: Any) -> GivenToImport:
    if not isinstance(entry, dict) or set(entry) - set(ENTRY):
        raise FleetMfaError(f"must be a dictionary with secret and, if wanted, {', '.join(ENTRY)}; nothing else")
    state = entry.get("state")
    if state not in (None, *STATES):
        raise FleetMfaError(f"state: must be one of {', '.join(STATES)}")
    secret = entry.get("secret")
    if not isinstance(secret, str):
        raise FleetMfaError("secret: is missing; give an otpauth URI or a secret in base32")
    if secret.strip().lower().startswith("otpauth-migration:"):
        raise FleetMfaError(
            "secret: an export of Google Authenticator (otpauth-migration) is not read; give otpauth URIs"
        )
    given = given_key(secret)
    key = foreign_key(
        _user(entry, given.account),
        place,
        canonical_secret(given.secret),
        given.period or URI_PERIOD,
        _label(entry.get("issuer"), given.issuer, "issuer"),
        _label(entry.get("account"), given.account, "account"),
    )
    key["codes"] = _codes(entry.get("recovery_codes"))
    return GivenToImport(key, state)


def _user(entry: dict[str, Any], account: str | None) -> str:
    """Without `user` the part of the URI's account before an @: google-authenticator writes alice@web1."""
    user = entry.get("user")
    if user is None:
        user = (account or "").partition("@")[0]
        if not user:
            raise FleetMfaError("user: is missing, and the otpauth URI names no account")
    if not isinstance(user, str) or looks_secret(user):
        raise FleetMfaError("user: is not a name")
    check_user_name(user)
    return user


def _label(given: Any, of_uri: str | None, what: str) -> str:
    text = given if given is not None else of_uri
    if text is None:
        return ""
    if not isinstance(text, str):
        raise FleetMfaError(f"{what}: must be a text")
    return check_label(text, what)


def _codes(given: Any) -> list[str]:
    codes = [str(code) for code in given] if isinstance(given, (list, tuple)) else None if given else []
    sound = codes is not None and all(code.isascii() and code.isdigit() and len(code) == 8 for code in codes)
    if codes is None or not sound or any(code.startswith("0") for code in codes):
        raise FleetMfaError("recovery_codes: must be a list of codes of eight digits, the first not 0")
    if len(codes) > RANGES["recovery_codes"].high:
        raise FleetMfaError(f"recovery_codes: may be at most {RANGES['recovery_codes'].high}")
    return codes
