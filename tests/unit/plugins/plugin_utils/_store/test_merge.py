# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Two records of one person become one, whatever the order. MERGE_EXAMPLES says how many examples of each law are tried."""

from __future__ import annotations

import functools
import os
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.device_lifecycle import (
    revoked_device,
    with_new_device_key,
)
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.lifecycle import (
    By,
    Rotation,
    revoked,
    with_help_desk_code,
    with_new_key,
)
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.merge import merge
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.person import (
    Device,
    DriftSeen,
    HistoryEvent,
    Person,
    Proven,
)
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.records import from_record, to_record
from ansible_collections.fleetmfa.ssh.tests.support.people import CODES, PEOPLE, START, device, key, person, spent

# No limits of time: how long an example takes is the machine's business.
EXAMPLES = int(os.environ.get("MERGE_EXAMPLES", "30"))
on_any_machine = settings(
    deadline=None, database=None, max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow]
)


@on_any_machine
@given(PEOPLE, PEOPLE)
def test_order_does_not_matter(one, other):
    assert merge(one, other) == merge(other, one)


@on_any_machine
@given(PEOPLE, PEOPLE, PEOPLE)
def test_slices_do_not_matter(one, two, three):
    assert merge(merge(one, two), three) == merge(one, merge(two, three))


@on_any_machine
@given(PEOPLE, PEOPLE)
def test_repetition_does_not_matter(one, other):
    merged = merge(one, other)
    assert merge(one, one) == one and merge(merged, one) == merged and merge(merged, merged) == merged


@on_any_machine
@given(st.lists(PEOPLE, min_size=1, max_size=6), st.data())
def test_any_runs_of_any_slices_lead_to_the_same_record(records, data):
    """Each record is synced at least once, in any order, into one of two stores that sync with each other at the end."""
    everything = functools.reduce(merge, records)
    visits = [*data.draw(st.permutations(records)), *data.draw(st.lists(st.sampled_from(records), max_size=4))]
    stores = [Person("alice"), Person("alice")]
    for record in visits:
        number = data.draw(st.integers(0, 1))
        stores[number] = merge(stores[number], record)
    assert merge(*stores) == everything
    assert merge(*stores).current == everything.current


@on_any_machine
@given(PEOPLE, PEOPLE)
def test_nothing_is_taken_back(one, other):
    merged = merge(one, other)
    assert merged.newest_generation >= one.newest_generation and merged.revoked_through >= one.revoked_through
    pairs = [(key, merged.keys[name]) for name, key in one.keys.items()]
    for name, before in one.devices.items():
        assert merged.devices[name].revoked_through >= before.revoked_through
        pairs += [(key, merged.devices[name].keys[known]) for known, key in before.keys.items()]
    for before, after in pairs:
        assert after.spent >= before.spent and after.without_spent(before.codes, after.spent) <= after.codes
        assert after.without_spent(after.codes, before.spent) == after.codes
        assert after.validated is not None or before.validated is None
        assert all(after.burnt[step] >= hosts for step, hosts in before.burnt.items())


@on_any_machine
@given(PEOPLE, st.lists(PEOPLE, max_size=3), st.integers(0, 1))
def test_what_hosts_knew_before_a_decision_does_not_undo_it(known, others, until):
    """Hosts that were away for a month, in any order: every key of theirs is of a generation that is dead.

    Of other controllers' stores only records without decisions of their own, of a generation that a host may be of.
    """
    by = By(START + 9, "operator", "lost")
    new = key("brand new")
    last = known.newest_generation
    before = [
        replace(
            one,
            revoked_through=0,
            keys=_up_to(last + 1, one.keys),
            devices={name: device(*_up_to(last + 1, known.keys).values()) for name, known in one.devices.items()},
        )
        for one in others
    ]
    left = functools.reduce(merge, before, revoked(known, by))
    assert left.current.validated is None and left.current.denied and left.living_devices == []
    given_new = functools.reduce(merge, before, with_new_key(known, new, until, True, by))
    assert given_new.living_devices == []
    assert given_new.current.validated is None and given_new.given_in_place.id == new.id
    assert with_new_key(given_new, key("another"), until, False, by) == given_new, "twice is once"
    proven = replace(given_new.given_in_place, validated=Proven(START + 10, "web1"))
    for record in (merge(given_new, person(proven)), functools.reduce(merge, before, merge(given_new, person(proven)))):
        assert record.current.validated.id == new.id


def _up_to(generation, keys):
    return {name: one for name, one in keys.items() if one.generation <= generation}


def _as_collected(known, devices, last):
    """Without keys that the store knows as those of other devices, which are not collected (`host_key.py`)."""
    elsewhere = {
        name: {one.id for one in known.all_keys} - set(known.devices.get(name, Device()).keys) for name in devices
    }
    kept = {name: _up_to(last, one.keys).values() for name, one in devices.items()}
    return {name: device(*(one for one in keys if one.id not in elsewhere[name])) for name, keys in kept.items()}


@on_any_machine
@given(PEOPLE, st.lists(PEOPLE, max_size=3), st.sampled_from(["first", "tablet", "spare"]))
def test_what_hosts_knew_before_a_device_was_revoked_does_not_bring_it_back(known, others, name):
    """And nobody is left without a key by it, or with a key less of another device."""
    by = By(START + 9, "operator", "lost")
    try:
        decided = revoked_device(known, name, by)
    except FleetMfaError:
        return
    was_first = name == known.first_device
    dead = {one.id for one in ([known.current.validated] if was_first else known.living_of(name))}
    last = known.newest_generation + 1
    before = [
        replace(one, revoked_through=0, keys=_up_to(last, one.keys), devices=_as_collected(known, one.devices, last))
        for one in others
    ]
    after = functools.reduce(merge, before, decided)
    assert after.current.validated is not None
    alive = [after.current.validated, *(one.validated for one in after.living_devices)]
    assert dead.isdisjoint(one.id for one in alive if one)
    assert merge(known, decided) == decided and from_record(to_record(decided)) == decided
    assert revoked_device(decided, name, by) == decided or was_first, "twice is once"


@on_any_machine
@given(PEOPLE)
def test_decisions_only_add(known):
    by = By(START + 9, "operator", "lost")
    for after in (
        revoked(known, by),
        with_new_key(known, key("brand new"), 0, False, by),
        with_help_desk_code(known, "99999999", START + 99, by),
        Rotation(1, START + 10**7, "operator").applied(known),
        _if_possible(with_new_device_key, known, "tablet", key("brand new"), False, by),
    ):
        assert merge(known, after) == after and from_record(to_record(after)) == after


def _if_possible(decide, known, *given):
    try:
        return decide(known, *given)
    except FleetMfaError:
        return known


def _current(*records):
    return functools.reduce(merge, records).current


def test_a_code_spent_on_one_host_is_spent():
    here = person(key(codes=frozenset(CODES[1:]), spent=spent("phone", CODES[0])))
    there = person(key(codes=frozenset(CODES)))
    (merged,) = merge(there, here).keys.values()
    assert merged.codes == frozenset(CODES[1:])


def test_the_newest_generation_wins_over_an_earlier_validation():
    old = key("old", validated=Proven(START, "web1"))
    new = key("new", generation=2, validated=Proven(START + 9, "web2"))
    assert _current(person(old), person(new)) == (new, None, False)


def test_of_two_validated_keys_the_first_wins_then_the_host_then_the_id():
    first, second = key("a", validated=Proven(START, "web2")), key("b", validated=Proven(START + 1, "web1"))
    assert _current(person(second), person(first)).validated == first
    on_web1 = key("b", validated=Proven(START, "web1"))
    assert _current(person(on_web1), person(first)).validated == on_web1
    equal = [key(name, validated=Proven(START, "web1")) for name in "abc"]
    assert _current(*map(person, equal)).validated == min(equal, key=lambda one: one.id)


def test_validated_beats_pending_of_the_same_generation():
    proven, pending = key("a", validated=Proven(START + 5, "web1")), key("b")
    assert _current(person(pending), person(proven)) == (proven, None, False)


def test_a_rotation_keeps_the_old_key_until_the_new_one_is_validated():
    old, new = key("old", validated=Proven(START, "web1")), key("new", generation=2)
    assert _current(person(old), person(new)) == (old, new, False)


def test_a_leaver_is_denied_until_there_is_a_newer_generation():
    old = key("old", validated=Proven(START, "web1"))
    left = person(revoked_through=1, history=frozenset([HistoryEvent(START, "operator", "left", "has left")]))
    assert _current(person(old), left) == (None, None, True)
    again = key("new", generation=2)
    assert _current(left, person(old), person(again)) == (None, again, False)
    assert not Person("alice").current.denied


def test_of_one_key_the_first_validation_counts():
    early, late = key(validated=Proven(START, "web2")), key(validated=Proven(START + 1, "web1"))
    assert _current(person(late), person(early)).validated.validated == Proven(START, "web2")
    assert _current(person(key(created=START + 1)), person(key(created=START))).pending.created == START


def test_the_latest_drift_counts():
    old, new = key(drift=DriftSeen(START, 40)), key(drift=DriftSeen(START + 1, 3))
    assert _current(person(new), person(old)).pending.drift == DriftSeen(START + 1, 3)
