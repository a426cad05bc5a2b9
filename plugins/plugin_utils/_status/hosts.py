# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What the hosts of a run have said about their users, or why one has not. Private to the collection."""

from __future__ import annotations

from typing import Any, Iterable, Mapping, NamedTuple

_TIMES = ("since", "last_mfa_login", "enrollment_deadline", "exempt_until", "locked_until")


class HostStatus(NamedTuple):
    """The result of totp_key_info on a host; `why` and no users if there is none."""

    host: str
    users: list[dict[str, Any]]
    last_sync: str | None
    why: str | None = None

    def as_dict(self) -> dict[str, Any]:
        reached = self.why is None
        return {
            "host": self.host,
            "reached": reached,
            "why": self.why,
            "last_sync": self.last_sync,
            "users": self.users,
        }


def host_status(host: str, result: Any) -> HostStatus:
    """`result` is what the task has registered on the host. Whoever is root there may have made it up."""
    if not isinstance(result, Mapping):
        return HostStatus(host, [], None, "gave no result; see the errors above")
    if result.get("unreachable") or result.get("failed"):
        kind = "unreachable" if result.get("unreachable") else "failed"
        return HostStatus(host, [], None, f"{kind}: {printable(result.get('msg', 'no reason given'))}")
    users = result.get("users")
    if not isinstance(users, list) or not all(map(_is_report, users)):
        return HostStatus(host, [], None, "failed: the result is not one of totp_key_info")
    return HostStatus(host, [dict(one) for one in users if _is_there(one)], _text(result.get("last_sync")))


def unknown_users(results: Iterable[Any]) -> list[str]:
    """Users who were asked for, and of whom no host knows an account or a key."""
    users = [
        one
        for result in results
        if isinstance(result, Mapping) and isinstance(result.get("users"), list)
        for one in result["users"]
        if _is_report(one)
    ]
    known = {one["user"] for one in users if _is_there(one)}
    return sorted({one["user"] for one in users} - known)


def printable(value: Any) -> str:
    """A text of a host on one line, without what would control a terminal."""
    text = " ".join(str(value).split())
    return "".join(letter if letter.isprintable() else "?" for letter in text)[:300]


def _is_there(one: Mapping[str, Any]) -> bool:
    return one["status"] != "no_account" or one["state"] != "none" or bool(one["enforced"])


def _is_report(one: Any) -> bool:
    if not isinstance(one, Mapping):
        return False
    texts = all(isinstance(one.get(name), str) for name in ("user", "status", "state"))
    times = all(_is_text_or_none(one.get(name)) for name in _TIMES)
    found = one.get("problems")
    problems = isinstance(found, list) and all(isinstance(each, Mapping) and "id" in each for each in found)
    devices = isinstance(one.get("devices"), list)
    return (
        texts
        and times
        and problems
        and devices
        and isinstance(one.get("recovery_codes_left"), int)
        and "enforced" in one
    )


def _is_text_or_none(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
