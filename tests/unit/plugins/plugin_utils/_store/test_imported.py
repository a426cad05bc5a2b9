# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What an import may do to a record, and what not."""

from __future__ import annotations

import itertools

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.foreign_key import foreign_key
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.imported import (
    Import,
    best_of,
    candidate,
    refusal,
    with_imported,
)
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.person import Person, Proven
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.records import from_record, to_record
from ansible_collections.fleetmfa.ssh.tests.support.people import (
    CODES,
    HOSTS,
    PEOPLE,
    START,
    key,
    person,
    secret,
    spent,
)

NOBODY = Person("alice")


def found(name="one", place="web1", unused="pending", window=3, **fields):
    one = foreign_key("alice", "/home/alice/.google_authenticator", secret(name))
    one.update(fields)
    return candidate("alice", one, place, unused, window, START + 99)


def used(name="one", place="web1", when=START, **fields):
    return found(name, place, last_used=when, used=[when // 30], drift=0, **fields)


def imported(before, *candidates):
    """By one call that sees only these."""
    decide = Import(candidates, best_of(candidates), "operator", START + 99)
    return decide(before), [decide.why[number] for number in range(len(candidates))]


def test_a_used_key_is_validated_and_an_unused_one_pending():
    after, why = imported(NOBODY, used())
    assert why == [None] and after.current.validated.validated == Proven(START, "web1")
    assert after.current.validated.burnt == {START // 30: frozenset(["web1"])}
    (event,) = after.history
    assert event.who == "operator" and "imported as validated from /home/alice/.google_auth" in event.what
    after, _why = imported(NOBODY, found())
    assert after.current.validated is None and after.current.pending.secret == secret("one")
    assert imported(NOBODY, found(unused="validated"))[0].current.validated.validated == Proven(START + 99, "web1")


def test_an_unused_key_can_be_left_out():
    after, why = imported(NOBODY, found(unused="skip"))
    assert after == NOBODY and why == ["no login with it is on record"]
    assert imported(NOBODY, found("two", unused="skip"), used("one", "web2", unused="skip"))[0].current.validated


def test_a_pending_key_becomes_validated_when_it_was_used():
    before, _why = imported(NOBODY, found())
    after, _why = imported(before, used())
    assert after.current.validated is not None and len(after.history) == 2


def test_a_second_import_changes_nothing():
    for one in (used(codes=CODES), found(codes=CODES), found(unused="validated")):
        before, _why = imported(NOBODY, one)
        assert imported(before, one) == (before, [None])


def test_who_could_not_log_in_here_is_not_enforced():
    for drift, counts in ((0, True), (1, True), (-1, True), (2, False), (-4, False)):
        one = found(last_used=START, used=[START // 30], drift=drift, unused="validated")
        assert bool(one.key.validated) is counts, drift
        assert counts or "clock of the device" in one.doubt
    assert found(last_used=START, drift=8, window=17).key.validated and found(last_used=START, drift=8).key.drift


def test_no_import_replaces_a_validated_key():
    before = person(key("phone", validated=Proven(START + 50, "db1")))
    after, (why,) = imported(before, used())
    assert after == before and "counts already" in why and "db1" in why


def test_no_import_brings_back_a_leaver_or_a_dead_key():
    leaver = person(revoked_through=1)
    assert "revoked" in imported(leaver, used())[1][0]
    rotated = person(key("one"), key("new", generation=2), revoked_through=1)
    assert "revoked or replaced" in imported(rotated, used())[1][0]
    assert "pending in the store" in imported(rotated, used("other"))[1][0]
    displaced = person(key("one", validated=Proven(START + 1, "web1")), key("new", validated=Proven(START, "web2")))
    assert "revoked or replaced" in imported(displaced, used())[1][0]


def test_a_proven_key_takes_the_place_of_one_that_is_only_pending():
    before, _why = imported(NOBODY, found("other"))
    after, why = imported(before, used())
    assert why == [None] and after.current.validated.secret == secret("one") and after.current.pending is None
    assert imported(before, found())[0] == before


def test_of_several_keys_the_one_that_was_used_last():
    candidates = [used("one", "web1", START), used("two", "web2", START + 60), found("three", "db1")]
    for order in itertools.permutations(candidates):
        after, why = imported(NOBODY, *order)
        assert after.current.validated.secret == secret("two") and len(after.keys) == 1
        assert sorted(filter(None, why)) == ["another key of this person was used more recently, on web2"] * 2


def test_a_copy_of_the_file_that_has_lost_codes():
    """Spent on the host that has the copy: such a code must not come back."""
    first, second = used(codes=CODES), used(place="web2", codes=CODES[1:])
    for order in ((first, second), (second, first)):
        after, _why = imported(NOBODY, *order)
        assert after.current.validated.codes == frozenset(CODES[1:])
    after, _why = imported(NOBODY, first, second)
    assert after.current.validated.spent == spent("one", CODES[0])


def test_codes_that_somebody_adds_to_a_known_key_are_not_taken():
    before, _why = imported(NOBODY, used(codes=CODES[:1]))
    after, _why = imported(before, used(codes=[*CODES[:1], "99999999"]))
    assert after == before


def test_new_codes_of_the_user_stay():
    before, _why = imported(NOBODY, used(codes=CODES))
    kept = key("one", validated=Proven(START, "web1"), codes=frozenset(["99999999"]), spent=spent("one", *CODES))
    after, _why = imported(person(kept, user="alice", history=before.history), used(codes=CODES))
    assert after.current.validated.codes == frozenset(["99999999"])


_FOUND = st.builds(
    lambda name, place, when, codes, drift: found(
        name, place, last_used=when, used=[when // 30] if when else [], codes=sorted(codes), drift=drift
    ),
    st.sampled_from(["one", "two", "three"]),
    st.sampled_from(HOSTS),
    st.none() | st.integers(START, START + 300),
    st.frozensets(st.sampled_from(CODES)),
    st.none() | st.integers(-5, 5) | st.just(10**9),
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)  # on a busy machine
@given(PEOPLE, st.lists(_FOUND, min_size=1, max_size=4))
def test_whatever_is_imported(before, candidates):
    after, why = imported(before, *candidates)
    assert from_record(to_record(after)) == after
    assert before.current.validated is None or after.current.validated.id == before.current.validated.id
    assert after.current.denied == before.current.denied
    for name, old in before.keys.items():
        assert after.keys[name].codes <= old.codes and after.keys[name].generation == old.generation
    for one, refused in zip(candidates, why):
        assert (refused is None) == (one.key.id in [key.id for key in after.current[:2] if key]) or refused is not None


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(_FOUND, min_size=1, max_size=4), st.randoms())
def test_the_order_decides_nothing(candidates, random):
    shuffled = list(candidates)
    random.shuffle(shuffled)
    first, second = imported(NOBODY, *candidates)[0].current, imported(NOBODY, *shuffled)[0].current
    assert [key and key.id for key in first[:2]] == [key and key.id for key in second[:2]]


def test_with_imported_is_refused_by_nobody_who_allows():
    one = used()
    assert (
        refusal(NOBODY, one.key) is None and with_imported(NOBODY, one, "me", START).current.validated.id == one.key.id
    )
