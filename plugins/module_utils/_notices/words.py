# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What users are told, in words, and the JSON document that the hook gets (docs/notices.md). Private to the collection."""

from __future__ import annotations

from typing import Any, Mapping

from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.utc import utc_text

VERSION = 1
_DOUBT = "If this was not you, and nobody has told you about it, tell your administrator."

# {host}, {key} and the details of an event.
EVENTS: dict[str, str] = {
    "pending": "{key} was made on {host}. It counts once you have validated it with two tokens (mfa-enroll).",
    "validated": "{key} was validated on {host}. {asked}",
    "enforced": "From now on {host} asks you for a token at login.",
    "removed": "{key} was removed from {host}.",
    "revoked": "Your keys were revoked: {host} denies your logins until a new key is validated.",
    "recovery_codes_changed": "You have other recovery codes on {host} now: {recovery_codes}.",
    "recovery_code_used": "A recovery code was used instead of a token on {host}{address}; {recovery_codes} are left.",
    "exempted": "You are exempt: {host} does not ask you for a token any more.",
    "locked": "After {wrong_tokens} wrong tokens in a row{address} you are locked on {host}, until {until}.",
    "suspended": "After {wrong_tokens} wrong tokens in a row{address} your tokens do not count on {host} any more: log in with a "
    "recovery code, or ask your administrator.",
    "unlocked": "You are not locked on {host} any more.",
    "deadline_near": "Validate your key on {host} before {deadline} (mfa-enroll); days left: {days_left}. {overdue}",
}
# What an event may tell besides; nothing else leaves the host.
DETAILS = {
    "pending": ("rotation",),
    "validated": ("replaced",),
    "recovery_codes_changed": ("recovery_codes",),
    "recovery_code_used": ("recovery_codes", "address"),
    "locked": ("wrong_tokens", "until", "address"),
    "suspended": ("wrong_tokens", "address"),
    "deadline_near": ("deadline", "days_left", "overdue"),
}
_ASKED = {
    True: "From now on you are asked for a token at login.",
    False: "Logins do not ask for a token: this host does not enforce it for you.",
}
_OVERDUE = {
    "allow": "",
    "enroll_only": "Afterwards you can log in only to do that.",
    "deny": "Afterwards your logins are denied.",
}


def document(notice: Mapping[str, Any], host: str, enforced: bool, identifier: str) -> dict[str, Any]:
    """`notice` is what was recorded; `enforced` is whether the user is asked for a token now."""
    event, given = notice["event"], notice["details"]
    details = {name: given[name] for name in DETAILS.get(event, ()) if given.get(name) not in (None, "")}
    device = given.get("device")
    return {
        "version": VERSION,
        "id": identifier,
        "event": event,
        "user": _sound(notice["user"]),
        "host": host,
        "time": utc_text(notice["time"]),
        "by": notice["by"],
        "device": device,
        "enforced": enforced,
        "details": details,
        "text": f"{_words(event, host, device, enforced, details)} {_DOUBT}",
    }


def _words(event: str, host: str, device: str | None, enforced: bool, details: Mapping[str, Any]) -> str:
    what = "A new key" if event == "pending" else "Your key"
    known = {
        **details,
        "host": host,
        "key": f"{what} of {device}" if device else what,
        "asked": _ASKED[enforced],
        "address": f" from {details['address']}" if "address" in details else "",
        "until": details.get("until", "an operator unlocks you"),
        "overdue": _OVERDUE.get(details.get("overdue", "allow"), ""),
    }
    for name in ("recovery_codes", "wrong_tokens"):
        known.setdefault(name, "an unknown number")
    return EVENTS[event].format(**known).strip()


def _sound(name: str) -> str:
    """A name of a directory may have bytes that are no characters."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
