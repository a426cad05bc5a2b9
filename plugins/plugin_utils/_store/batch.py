# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Merges what many hosts returned into one key store, and picks what each of them is told. Private to the collection.

The store is read once and written at most once. What is wrong with one host's answer refuses that host alone.
"""

from __future__ import annotations

from typing import NamedTuple

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._findings import Finding
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.collected import Collected, Handout
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.given_keys import refuse_contradictions
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.handout import handout
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.ingest import (
    Ingested,
    ingest,
    is_of_other_store,
    taken_in,
)
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.lifecycle import (
    NO_ROTATION,
    Rotation,
    overdue_recoveries,
)
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.merge import merge
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.of_action import names_of
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.person import Device, Person
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.store import Store

Names = dict[str, str]  # account of a host -> name in the store


class MergedBatch(NamedTuple):
    changes: dict[str, str]  # what is new in whose record, without secrets
    findings: list[Finding]
    handouts: dict[str, Handout]  # by host


class Batch:
    def __init__(self, store: Store, hosts: list[Collected], rotation: Rotation = NO_ROTATION):
        self._store = store
        self._rotation = rotation
        self._head = store.head
        self._names: dict[str, Names] = {
            one["host"]: names_of(_accounts(one), one["places"], self._head.aliases) for one in hosts
        }
        self._hosts = hosts
        self._refused: dict[str, str] = {}
        self._findings: list[Finding] = []

    def merge(self, check_mode: bool) -> MergedBatch:
        """In check mode nothing is written; hosts are told what they would be."""
        before = self._store.read(sorted({user for names in self._names.values() for user in names.values()}))
        people = dict(before)
        news = self._take_in(people)

        def change(person: Person) -> Person:
            people[person.user] = self._rotation.applied(taken_in(person, news.get(person.user, person)))
            return people[person.user]

        people.update({user: self._rotation.applied(person) for user, person in people.items()})
        self._findings += overdue_recoveries(people.values(), self._rotation.now)
        self._findings += self._rotation.too_old(people.values())
        changed = [user for user, person in people.items() if person != before.get(user)]
        if changed and not check_mode:
            changed = self._store.change(changed, change)
        self._refuse_given(people)
        words = {user: _words(before.get(user), people[user]) for user in sorted(changed)}
        store = self._store.head.id  # if it was not there yet, another run may have made it meanwhile
        return MergedBatch(words, self._findings, {one["host"]: self._told(one, people, store) for one in self._hosts})

    def _take_in(self, people: dict[str, Person]) -> dict[str, Person]:
        """What is new of whom. `people` are the records as they are, and then as they will be."""
        news: dict[str, Person] = {}
        for one in self._hosts:
            taken = self._ingested(one, people)
            self._findings += taken.findings
            for user, new in taken.people.items():
                news[user] = merge(news[user], new) if user in news else new
                people[user] = taken_in(people.get(user) or Person(user), new)
        return news

    def _ingested(self, one: Collected, people: dict[str, Person]) -> Ingested:
        host = one["host"]
        try:
            _refuse_other_store(one, self._head.id)
            return ingest([] if one["clock_is_off"] else one["keys"], self._names[host], host, people)
        except FleetMfaError as error:
            self._refused[host] = str(error)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            told = (
                f"what {host} returned of its keys cannot be understood ({type(error).__name__}); is its Python sound?"
            )
            self._refused[host] = told
        return Ingested({}, [])

    def _refuse_given(self, people: dict[str, Person]) -> None:
        for one in self._hosts:
            try:
                refuse_contradictions(one["given"], self._names[one["host"]], people)
            except FleetMfaError as error:
                self._refused.setdefault(one["host"], str(error))

    def _told(self, one: Collected, people: dict[str, Person], store: str) -> Handout:
        host = one["host"]
        if host in self._refused:
            return {"host": host, "refused": self._refused[host]}
        names = self._names[host]
        told = [handout(people[names[account]], account) for account in one["accounts"] if names[account] in people]
        return {"host": host, "store": store, "people": told}


def _accounts(one: Collected) -> list[str]:
    return [*one["accounts"], *(given["user"] for given in one["given"])]


def _words(before: Person | None, after: Person) -> str:
    before = before or Person(after.user)
    new = [f"key {name} added" for name in after.keys if name not in before.keys]
    new += [
        f"key {key} of second device {name} added"
        for name, device in sorted(after.devices.items())
        for key in device.keys
        if key not in before.devices.get(name, Device()).keys
    ]
    if after.rotate_through > before.rotate_through:
        new.append("the key is too old and is to be replaced")
    return ", ".join(new) or "used tokens, spent recovery codes or drift added"


def _refuse_other_store(one: Collected, store: str) -> None:
    others = is_of_other_store(one["keys"], store)
    if others:
        raise FleetMfaError(
            f"{len(others)} keys on this host came from another key store than the one of this run: mfa_store_path is "
            "wrong, or the store was lost and a new one begun; restore the store that the fleet's keys are in"
        )
