# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What an operator decides about a person: revoked, a new key, a help-desk code. Private to the collection.

Each function returns the record after the decision, with an event in the history, or the same record if the decision is
in force already. None depends on anything but its arguments, since a store may call it again.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Iterable, NamedTuple

from ansible_collections.fleetmfa.ssh.plugins.module_utils._findings import Finding
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.ids import code_id
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.totp import decode_secret
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.utc import utc_text
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.person import Access, HistoryEvent, Person, PersonKey

_DAY = 86400  # seconds


class By(NamedTuple):
    """Who decides (USER@CONTROLLER), when, and why."""

    when: int
    who: str
    reason: str


def noted(person: Person, what: str, by: By) -> Person:
    return replace(person, history=person.history | {HistoryEvent(by.when, by.who, what, by.reason)})


def revoked(person: Person, by: By) -> Person:
    """Every key of every device is dead."""
    if person.current.denied and person.revoked_through > person.newest_generation:
        return person
    return noted(replace(person, revoked_through=last_generation(person)), "all keys revoked", by)


def with_new_key(person: Person, key: PersonKey, not_asked_until: int, again: bool, by: By) -> Person:
    """Every key of every device is dead, and `key` is pending in their place; its generation is determined here.

    A key that was given in place of others and still waits is kept, unless `again`: a second run gives no second key.
    """
    waiting = person.given_in_place
    access = Access(by.when, not_asked_until)
    if waiting is not None and not again:
        if waiting.access is not None and bool(waiting.access.not_asked_until) == bool(not_asked_until):
            return person
        return noted(person.with_key(replace(waiting, access=access)), f"key {waiting.id}: {_words(access)}", by)
    dead = last_generation(person)
    new = replace(key, generation=dead + 1, created=by.when, access=access)
    after = replace(person.with_key(new), revoked_through=dead)
    return noted(after, f"all keys revoked, new key {new.id}; until it is validated: {_words(access)}", by)


def with_help_desk_code(person: Person, code: str, until: int, by: By) -> Person:
    """The key that counts has one more recovery code, which ends; one that is still good is kept."""
    key = person.current.validated
    if key is None or help_desk_code(person, by.when):
        return person
    name = code_id(decode_secret(key.secret), code)
    new = replace(key, codes=key.codes | {code}, expiring={**key.expiring, name: until})
    return noted(person.with_key(new), f"help-desk code, good until {utc_text(until)}", by)


def help_desk_code(person: Person, now: float) -> tuple[str, int] | None:
    """The code that is still good, and until when."""
    key = person.current.validated
    if key is None:
        return None
    ends = {code: key.expiring.get(code_id(decode_secret(key.secret), code), 0) for code in sorted(key.codes)}
    return next(((code, end) for code, end in ends.items() if end > now), None)


class Rotation(NamedTuple):
    """mfa_key_max_age as a run of sync applies it: to the first device, since no host shows a new key of a second one."""

    max_age: int  # days; 0: never
    now: int
    who: str

    def applied(self, person: Person) -> Person:
        """The key that counts is to be replaced if it was validated longer ago."""
        key = person.current.validated
        if key is None or key.generation <= person.rotate_through or not self._is_too_old(key):
            return person
        by = By(self.now, self.who, f"older than {self.max_age} days")
        return noted(replace(person, rotate_through=key.generation), f"key {key.id} is to be replaced", by)

    def too_old(self, people: Iterable[Person]) -> Iterable[Finding]:
        """Every key that counts, whatever its device, until another one has taken its place."""
        for person in people:
            for device, key in person.validated_devices:
                if self._is_too_old(key) and key.validated is not None:
                    since = utc_text(key.validated.when)
                    told = f"{person.user}, device {device}: validated {since}, more than {self.max_age} days ago"
                    yield Finding("key_old", (told,))

    def _is_too_old(self, key: PersonKey) -> bool:
        validated = key.validated
        return bool(self.max_age) and validated is not None and self.now - validated.when > self.max_age * _DAY


NO_ROTATION = Rotation(0, 0, "")


def overdue_recoveries(people: Iterable[Person], now: float) -> Iterable[Finding]:
    """Those who were not asked until a date, and have not validated their new key by then."""
    for person in people:
        key = person.given_in_place
        if key is not None and key.access is not None and 0 < key.access.not_asked_until <= now:
            yield Finding("recovery_overdue", (f"{person.user}: since {utc_text(key.access.not_asked_until)}",))


def last_generation(person: Person) -> int:
    """The last one that a key may be of now. A host may have one more than the store knows (a rotation)."""
    of_devices = (device.revoked_through for device in person.devices.values())
    return max(person.newest_generation, person.revoked_through, *of_devices) + 1


def _words(access: Access) -> str:
    return f"not asked until {utc_text(access.not_asked_until)}" if access.not_asked_until else "denied"
