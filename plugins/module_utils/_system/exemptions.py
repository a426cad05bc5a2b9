# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Entries of the exempt lists, which may have a reason, an approver and a last day; and who is exempt today. Private.

Days are calendar days of the host: an exemption holds through its last day and ends at the midnight after it.
"""

from __future__ import annotations

import datetime
import json
import os
from typing import Any, Iterable, Literal, Mapping, NamedTuple, Sequence, TypedDict

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import (
    SECURITY_KEY_GROUP,
    Exemptions,
    group_exists,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.files import read_file

Kind = Literal["user", "group"]
OPTIONS: Mapping[Kind, str] = {"user": "exempt_users", "group": "exempt_groups"}
ITEMS = ("name", "reason", "approved_by", "until")
_LONGEST = 200
# Users whose exemption has ended, but who stay exempt on this host, and why; written at midnight, read by everything.
_KEPT = "exemptions_kept"


class ExemptionItems(TypedDict):
    """What an entry has, as it is written; None for what it has not."""

    name: str
    reason: str | None
    approved_by: str | None
    until: str | None


class Exemption(NamedTuple):
    """A user, or the members of a group, who are never asked for a token; `until` is the last day, None for ever."""

    kind: Kind
    name: str
    reason: str | None = None
    approved_by: str | None = None
    until: datetime.date | None = None

    def has_ended(self, today: datetime.date) -> bool:
        return self.until is not None and today > self.until

    @property
    def items(self) -> ExemptionItems:
        until = self.until.isoformat() if self.until else None
        return {"name": self.name, "reason": self.reason, "approved_by": self.approved_by, "until": until}

    @property
    def whom(self) -> Exemptions:
        return Exemptions([self.name]) if self.kind == "user" else Exemptions(groups=[self.name])


class Exempt(NamedTuple):
    """The names that count today."""

    users: list[str]
    groups: list[str]


def exemption(kind: Kind, given: Any) -> Exemption:
    """A name, or an entry {name, reason, approved_by, until}. A FleetMfaError says what is wrong, without the value."""
    if isinstance(given, (str, int)) and not isinstance(given, bool):
        return Exemption(kind, str(given))
    if not isinstance(given, Mapping):
        raise FleetMfaError(f"is not a name, nor an entry, which may have {', '.join(ITEMS)}")
    if set(given) - set(ITEMS):
        raise FleetMfaError(f"is not a name but an entry with an unknown item; it may have {', '.join(ITEMS)}")
    if "name" not in given:
        raise FleetMfaError(f"is not a name but an entry without a name; it may have {', '.join(ITEMS[1:])} beside one")
    texts = {name: _text(name, given[name]) for name in ITEMS[:3] if name in given}
    return Exemption(kind, until=_day(given["until"]) if "until" in given else None, **texts)


def exemptions(kind: Kind, given: Iterable[Any]) -> list[Exemption]:
    """A whole list. A name that has an entry must not stand in it a second time, since two days could be meant."""
    found: list[Exemption] = []
    seen: dict[str, bool] = {}
    for number, one in enumerate(given, 1):
        try:
            read, is_entry = exemption(kind, one), isinstance(one, Mapping)
            if read.name in seen and (is_entry or seen[read.name]):
                raise FleetMfaError("has a name that stands in the list before; keep one of the two")
        except FleetMfaError as error:
            raise FleetMfaError(f"entry {number} {error}") from None
        seen[read.name] = is_entry
        found.append(read)
    return found


def exempt_today(entries: Sequence[Exemption], kept: Iterable[str], today: datetime.date) -> Exempt:
    """`kept`: users who stay exempt although their exemption has ended; of others the entries say nothing."""
    current = [one for one in entries if not one.has_ended(today)]
    exempt = Exempt(_named("user", current), _named("group", current))
    whose = whose_ended(entries, today)
    return exempt._replace(users=exempt.users + [user for user in kept if user in whose])


def with_security_keys(entries: Sequence[Exemption]) -> list[Exemption]:
    """Members of the group for security keys, if this host has it, must never be asked for a token: sshd demands such a key of them.

    Nobody writes this entry, so every reader of the lists adds it.
    """
    is_there = any((one.kind, one.name) == ("group", SECURITY_KEY_GROUP) for one in entries)
    if is_there or not group_exists(SECURITY_KEY_GROUP):
        return [*entries]
    return [*entries, Exemption("group", SECURITY_KEY_GROUP, "a security key instead of a token", "mfa_security_keys")]


def last_day(entries: Iterable[Exemption], user: str) -> datetime.date | None:
    """The last day on which the user is exempt, by all entries together; None if that has no end, or no entry is about the user."""
    days = [one.until for one in entries if user in one.whom]
    ends = [day for day in days if day is not None]
    return max(ends) if ends and len(ends) == len(days) else None


def whose_ended(entries: Iterable[Exemption], today: datetime.date) -> Exemptions:
    """Whom the entries named that have ended."""
    ended = [one for one in entries if one.has_ended(today)]
    return Exemptions(_named("user", ended), _named("group", ended))


def _named(kind: Kind, entries: Iterable[Exemption]) -> list[str]:
    return [one.name for one in entries if one.kind == kind]


def kept_path(state_dir: str) -> str:
    return os.path.join(state_dir, _KEPT)


def kept_exempt(state_dir: str) -> dict[str, str]:
    """Users who stay exempt on this host although their exemption has ended, and why (`_enroll/root/exemptions.py`).

    Without a readable record nobody does: the checks before a user is enforced are the same, and refuse.
    """
    try:
        record = json.loads(read_file(kept_path(state_dir)) or b"{}")
    except (FleetMfaError, ValueError):
        return {}
    return {str(user): str(why) for user, why in record.items()} if isinstance(record, dict) else {}


def _text(item: str, value: Any) -> str:
    text = str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    if not text or not text.isprintable() or text != text.strip() or len(text) > _LONGEST:
        raise FleetMfaError(f"has no usable {item}: write a text of one line, up to {_LONGEST} characters, or omit it")
    return text


def _day(value: Any) -> datetime.date:
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        return value  # YAML makes one of 2026-03-31
    try:
        day = datetime.date.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        day = None
    if day is None or day.isoformat() != value:
        raise FleetMfaError("has a wrong until: write the last day as a date such as 2026-03-31, or omit it")
    return day
