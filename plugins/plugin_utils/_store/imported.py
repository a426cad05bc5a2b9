# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Makes keys of the store of keys that another set-up has made, and judges them. Private to the collection.

A file in a home directory can be written by its user, and by whoever has the user's session, so an import believes little
of it: it never displaces a validated key, never revives a dead one, and adds no recovery codes to a key that the store
has already. What it says about the past (used tokens, spent codes) only ever takes something away.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import Any, Iterable, NamedTuple

from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.foreign_key import ForeignKey
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.ids import code_id
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.totp import canonical_secret, decode_secret
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.ingest import taken_in
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.merge import merge
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.person import (
    DriftSeen,
    HistoryEvent,
    Person,
    PersonKey,
    Proven,
)
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.records import from_record, to_record

_UNPROVEN = "no login with it is on record"
_LARGEST_DRIFT = 3600  # seconds; nothing that says more has measured a clock


class ImportCandidate(NamedTuple):
    """A key that may become one of `person`; `doubt` is why it is pending, empty if it is validated, `skipped` why it is not
    wanted at all."""

    person: str
    found: ForeignKey
    key: PersonKey
    doubt: str
    place: str
    skipped: str = ""

    def __repr__(self) -> str:
        return f"ImportCandidate({self.person}, {self.key!r})"  # not the secret, even in a traceback

    def refusal(self, before: Person) -> str | None:
        """Why this person does not get the key."""
        return self.skipped or refusal(before, self.key)

    @property
    def rank(self) -> tuple[Any, ...]:
        """The best of several keys of one person has the least: used, used latest, then by name."""
        return rank(
            self.key.validated is not None, self.found["last_used"], self.place, self.found["user"], self.key.id
        )


def rank(validated: bool, last_used: int | None, host: str, user: str, key: str) -> tuple[Any, ...]:
    return not validated, -(last_used or 0), host, user, key


def candidate(person: str, found: ForeignKey, place: str, unused: str, window: int, now: int) -> ImportCandidate:
    """`place` is the host, `unused` what a key becomes whose use is not on record, `window` that of the role."""
    unproven = _UNPROVEN if found["last_used"] is None and unused != "validated" else ""
    doubt = _clock_doubt(found, window) or unproven
    when = found["last_used"] or now
    seconds = (found["drift"] or 0) * found["period"]
    has_drift = found["drift"] is not None and abs(seconds) <= _LARGEST_DRIFT
    key = PersonKey(
        secret=canonical_secret(found["secret"]),
        period=found["period"],
        issuer=found["issuer"],
        account=found["account"],
        created=when,
        validated=None if doubt else Proven(when, place),
        codes=frozenset(found["codes"]),
        burnt={step: frozenset([place]) for step in found["used"]},
        drift=DriftSeen(when, seconds) if has_drift else None,
    )
    from_record(to_record(Person(person, {key.id: key})))  # nobody may write what cannot be read any more
    return ImportCandidate(person, found, key, doubt, place, unproven if unused == "skip" else "")


def _clock_doubt(found: ForeignKey, window: int) -> str:
    drift = found["drift"]
    if drift is None or -((window - 1) // 2) <= drift <= window // 2:
        return ""
    direction = "ahead" if drift > 0 else "behind"
    return (
        f"the clock of the device was {abs(drift) * found['period']} s {direction}, more than mfa_window covers; correct "
        "that clock first"
    )


def refusal(before: Person, new: PersonKey) -> str | None:
    """Why this person cannot get this key by an import."""
    if before.current.denied:
        return "all keys of this person were revoked; only an operator can give a new one"
    counts = before.current.validated
    if new.id in before.keys and new.id not in _counting(before):
        return "the store knows this key, and it was revoked or replaced"
    if counts is not None and counts.id != new.id:
        proven = f", validated on {counts.validated.host}" if counts.validated else ""
        return f"another key of this person counts already ({counts.id}{proven}); no import replaces it"
    if new.id not in _counting(merge(before, Person(before.user, {new.id: new}))):
        return "another key of this person is pending in the store; no import replaces it"
    return None


def _counting(person: Person) -> list[str]:
    return [key.id for key in person.current[:2] if key]


def with_imported(before: Person, one: ImportCandidate, who: str, now: int) -> Person:
    """The record with this key; only if nothing refuses it."""
    old = before.keys.get(one.key.id)
    new = one.key if old is None else _without_new_codes(one.key, old)
    is_news = old is None or (old.validated is None and new.validated is not None)
    state = "validated" if new.validated else "pending"
    event = HistoryEvent(now, who, f"key {new.id} imported as {state} from {one.found['source']} on {one.place}")
    return taken_in(before, Person(before.user, {new.id: new}, 0, frozenset([event] if is_news else [])))


def _without_new_codes(new: PersonKey, old: PersonKey) -> PersonKey:
    """A copy of the file on another host has lost the codes that were spent there. If the two have no code in common, the
    user has made new ones since, and the file tells nothing about these."""
    missing = old.codes - new.codes if old.codes & new.codes else frozenset()
    secret = decode_secret(new.secret)
    return replace(new, codes=frozenset(), spent=frozenset(code_id(secret, code) for code in missing))


class Import:
    """Decides about the keys of one call, on any record of a person; `why` has each refusal, by number."""

    def __init__(self, candidates: Iterable[ImportCandidate], best: dict[str, tuple[str, str]], who: str, now: int):
        """`best` has, for each person, the key of this run that is imported, and the host that has it."""
        self.candidates = list(candidates)
        self._of: dict[str, list[int]] = defaultdict(list)
        for number, one in enumerate(self.candidates):
            self._of[one.person].append(number)
        self.why: dict[int, str | None] = {}
        self._best = best
        self._who = who
        self._now = now

    def __call__(self, person: Person) -> Person:
        """Depends on nothing but the record, as `Store.change` wants it."""
        for number in self._of[person.user]:
            one = self.candidates[number]
            self.why[number] = self._worse(one) or one.refusal(person)
            if self.why[number] is None:
                person = with_imported(person, one, self._who, self._now)
        return person

    def _worse(self, one: ImportCandidate) -> str | None:
        key, host = self._best.get(one.person, (one.key.id, ""))
        return None if key == one.key.id else f"another key of this person was used more recently, on {host}"


def best_of(candidates: Iterable[ImportCandidate]) -> dict[str, tuple[str, str]]:
    """Of the keys of each person the one that was used most recently: its id and host."""
    ordered = sorted(candidates, key=lambda one: one.rank, reverse=True)
    return {one.person: (one.key.id, one.place) for one in ordered}
