# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Two records of one person become one, whatever the order."""

from __future__ import annotations

import functools

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.merge import merge
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.person import DriftSeen, HistoryEvent, Person, Proven
from ansible_collections.fleetmfa.ssh.tests.support.people import CODES, PEOPLE, START, key, person, spent

# No limits of time: how long an example takes is the machine's business.
on_any_machine = settings(deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])


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
    for name, before in one.keys.items():
        after = merged.keys[name]
        assert after.spent >= before.spent and after.without_spent(before.codes, after.spent) <= after.codes
        assert after.without_spent(after.codes, before.spent) == after.codes
        assert after.validated is not None or before.validated is None
        assert all(after.burnt[step] >= hosts for step, hosts in before.burnt.items())


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
