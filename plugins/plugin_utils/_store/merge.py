# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Merges two records of one person. Private to the collection.

The result does not depend on the order, on how often a record is merged, or on which records were merged before: every
part is the least upper bound of the two parts (a join-semilattice), and no part looks at another. So it does not matter
in which order hosts are synced, in how many runs, from how many controllers, or how long one was away. Whatever had to
compare keys with each other, such as which one wins, would break this, and is done by the reader (`Person.current`).
"""

from __future__ import annotations

from typing import Callable, Mapping, TypeVar

from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.person import Device, Person, PersonKey

_Name = TypeVar("_Name")
_Part = TypeVar("_Part")


def merge(one: Person, other: Person) -> Person:
    """Both are records of the same person."""
    return Person(
        user=one.user,
        keys=_each(one.keys, other.keys, _merged_key),
        revoked_through=max(one.revoked_through, other.revoked_through),
        history=one.history | other.history,
        rotate_through=max(one.rotate_through, other.rotate_through),
        devices=_each(one.devices, other.devices, _merged_device),
    )


def _merged_device(one: Device, other: Device) -> Device:
    return Device(
        keys=_each(one.keys, other.keys, _merged_key),
        revoked_through=max(one.revoked_through, other.revoked_through),
    )


def _merged_key(one: PersonKey, other: PersonKey) -> PersonKey:
    """Both have the same secret and period. A code that was spent anywhere is spent, an earlier validation counts.

    Issuer and account are only what the app shows: where they differ, the greater text stays.
    """
    spent = one.spent | other.spent
    return PersonKey(
        secret=one.secret,
        period=one.period,
        issuer=max(one.issuer, other.issuer),
        account=max(one.account, other.account),
        generation=max(one.generation, other.generation),
        created=min(one.created, other.created),
        validated=_either(min, one.validated, other.validated),
        codes=one.without_spent(one.codes | other.codes, spent),
        spent=spent,
        burnt=_each(one.burnt, other.burnt, lambda hosts, others: hosts | others),
        drift=_either(max, one.drift, other.drift),
        access=_either(max, one.access, other.access),
        expiring=_each(one.expiring, other.expiring, min),
    )


def _each(
    one: Mapping[_Name, _Part], other: Mapping[_Name, _Part], merged: Callable[[_Part, _Part], _Part]
) -> dict[_Name, _Part]:
    """Everything that is in either, merged where it is in both."""
    both = {name: merged(part, other[name]) for name, part in one.items() if name in other}
    return {**one, **other, **both}


def _either(choose: Callable[[_Part, _Part], _Part], one: _Part | None, other: _Part | None) -> _Part | None:
    return choose(one, other) if one is not None and other is not None else one if one is not None else other
