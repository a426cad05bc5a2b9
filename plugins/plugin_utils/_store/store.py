# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What every back end of the key store can do. Private to the collection.

A back end reads and changes; what a change means is not its business. `change` is atomic for each person: between
reading and writing a record nobody else writes it. To make that so, a back end may call the function again with what
somebody else wrote meanwhile, so the function must depend on nothing but its argument.
"""

from __future__ import annotations

import abc
from typing import Callable, Dict, Iterable, Mapping, NamedTuple

from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.merge import merge
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.person import Person

FORMAT = 1
# Host or group of the inventory -> account there -> the person's name in the store.
Aliases = Dict[str, Dict[str, str]]


class StoreHead(NamedTuple):
    """What belongs to nobody in particular. The id is made with the store; a host remembers whose keys it has by it."""

    id: str
    aliases: Aliases


class Store(abc.ABC):
    """An opened key store. Every method raises a FleetMfaError that says what to do, without a secret in it."""

    @property
    @abc.abstractmethod
    def head(self) -> StoreHead:
        """Of a store that is not there yet: as it will be made by the first change."""

    @abc.abstractmethod
    def read(self, users: Iterable[str] | None = None) -> dict[str, Person]:
        """The records of these people, of everybody with None; who has none is left out."""

    @abc.abstractmethod
    def change(self, users: Iterable[str], change: Callable[[Person], Person]) -> list[str]:
        """Replace each record by `change` of it; a person without a record has an empty one. Returns whose record has
        changed; if nobody's has, nothing is written."""

    def merge_in(self, people: Mapping[str, Person]) -> list[str]:
        """Add what these records know. Returns whose record has changed."""
        return self.change(people, lambda person: merge(person, people[person.user]))
