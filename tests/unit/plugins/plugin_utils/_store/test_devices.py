# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Second devices in the key store: which key counts, what an operator decides, and what a host cannot achieve."""

from __future__ import annotations

import itertools
import json

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.batch import Batch
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.device_lifecycle import (
    revoked_device,
    waiting_key,
    with_new_device_key,
)
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.given_keys import given_keys
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.handout import handout
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.lifecycle import By, revoked
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.merge import merge
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.person import Device, Person, Proven
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.records import from_record, to_record
from ansible_collections.fleetmfa.ssh.tests.support.collected_hosts import collected, host_key, host_second
from ansible_collections.fleetmfa.ssh.tests.support.people import START, device, key, person, secret

BY = By(START + 100, "operator@controller", "lost")
PROVEN = {"validated": Proven(START, "web1")}
LATER = {"validated": Proven(START + 9, "web2")}
PHONE, TABLET, SPARE = key("phone", **PROVEN), key("tablet", **PROVEN), key("spare", **LATER)
ALICE = person(PHONE, devices={"tablet": device(TABLET)})
THREE = person(PHONE, devices={"tablet": device(TABLET), "spare": device(SPARE)})


def alive(record):
    """The ids of keys that let in: of the first device, and of those that do or could count as the second one."""
    found = [record.current.validated, *(one.validated for one in record.living_devices)]
    return {one.id for one in found if one}


# Records


def test_a_record_without_a_second_device_is_as_it_was_before_there_were_any():
    """Older versions of the collection can read it."""
    assert "devices" not in to_record(person(PHONE))
    assert from_record(to_record(THREE)) == THREE


@pytest.mark.parametrize("name", ["first", "../../etc/shadow", "Tablet", "", "a" * 16, "tab\nlet", "\u0130"])
def test_a_record_with_a_name_that_cannot_be_one(name):
    record = json.loads(json.dumps(to_record(ALICE)))
    record["devices"][name] = record["devices"].pop("tablet")
    with pytest.raises(FleetMfaError, match="person 'alice': field devices has a name, number 1, that cannot be one"):
        from_record(record)


def test_a_damaged_record_of_a_device_is_named_without_a_value():
    record = to_record(ALICE)
    record["devices"]["tablet"]["keys"][0]["generation"] = secret("tablet")
    with pytest.raises(FleetMfaError) as error:
        from_record(record)
    assert "device tablet, key 1: field generation" in str(error.value) and secret("tablet") not in str(error.value)
    record = to_record(ALICE)
    record["devices"]["tablet"]["denied"] = True
    with pytest.raises(FleetMfaError, match="device tablet: 1 fields are unknown"):
        from_record(record)


# Which counts


def test_of_two_second_devices_the_one_validated_first_counts_and_then_the_other():
    assert THREE.second.device == "tablet" and THREE.second.validated == TABLET
    assert revoked_device(THREE, "tablet", BY).second == ("spare", SPARE, None)


def test_in_one_device_the_newest_generation_wins_and_validated_beats_pending():
    newer = key("newer", generation=2, **LATER)
    assert person(PHONE, devices={"tablet": device(TABLET, newer)}).second.validated == newer
    pending = key("pending")
    assert person(PHONE, devices={"tablet": device(pending, TABLET)}).second == ("tablet", TABLET, None)


def test_the_first_devices_key_is_nobody_elses():
    forged = person(PHONE, devices={"tablet": device(PHONE)})
    assert forged.second is None and handout(forged, "alice")["second"] is None


def test_a_host_is_told_of_a_second_device_only_beside_a_first_one():
    assert handout(person(key("phone"), devices={"tablet": device(TABLET)}), "alice")["second"] is None
    told = handout(ALICE, "alice")["second"]
    assert (told["device"], told["validated"]["secret"], told["pending"]) == ("tablet", secret("tablet"), None)


# Decisions


def test_revoking_the_second_device_leaves_the_first():
    after = revoked_device(ALICE, "tablet", BY)
    assert alive(after) == {PHONE.id} and handout(after, "alice")["revoked_devices"] == {"tablet": 2}
    assert [event.what for event in after.history] == ["second device tablet revoked"]
    assert revoked_device(after, "tablet", BY) == after


def test_revoking_the_first_device_puts_the_second_in_its_place():
    used = key("tablet", burnt={7: frozenset(["web2"])}, **PROVEN)
    after = revoked_device(person(PHONE, devices={"tablet": device(used), "spare": device(SPARE)}), "first", BY)
    assert alive(after) == {TABLET.id, SPARE.id}
    assert after.current.validated.id == TABLET.id and after.second.device == "spare"
    assert after.first_device == "tablet" and not after.current.denied
    told = handout(after, "alice")
    assert (told["validated"]["device"], told["validated"]["burnt_steps"]) == ("tablet", [7])
    assert revoked_device(after, "first", BY) == after, "a second run revokes no other device"
    last = revoked_device(after, "tablet", BY)
    assert alive(last) == {SPARE.id} and last.devices["tablet"].revoked_through


def test_a_token_used_with_the_key_in_its_old_place_is_used():
    """By a host that does not know yet that the tablet is the first device now."""
    after = revoked_device(ALICE, "first", BY)
    late = person(devices={"tablet": device(key("tablet", burnt={8: frozenset(["db1"])}, **PROVEN))})
    assert handout(merge(after, late), "alice")["validated"]["burnt_steps"] == [8]


@pytest.mark.parametrize(
    ("record", "name", "told"),
    [
        (person(PHONE), "first", "first is the only device of alice with a validated key, so nothing was changed"),
        (person(PHONE, devices={"tablet": device(key("tablet"))}), "first", "is the only device"),
        (ALICE, "tabelt", "no such device in the key store; the devices are first, tablet"),
        (person(PHONE), "tablet", "the devices are first; check the name"),
        (person(devices={"tablet": device(TABLET)}), "tablet", "has no validated key"),
        (revoked(ALICE, BY), "tablet", "has no validated key"),
        (revoked_device(ALICE, "first", BY), "tablet", "tablet is the only device of alice"),
        (person(PHONE, devices={"a": device(PHONE), "b": device(PHONE)}), "b", "b is the only device of alice"),
    ],
    ids=[
        "only device",
        "second one pending",
        "typing error",
        "no second one",
        "no first one",
        "leaver",
        "promoted",
        "two names",
    ],
)
def test_what_cannot_be_revoked_alone(record, name, told):
    with pytest.raises(FleetMfaError, match=told):
        revoked_device(record, name, BY)


def test_the_same_key_under_two_names_is_dead_if_one_of_them_is_revoked():
    """Two hosts have called one device by two names, and were synced by two controllers."""
    twice = merge(ALICE, person(PHONE, devices={"spare": device(TABLET)}))
    assert alive(revoked_device(twice, "tablet", BY)) == {PHONE.id}


def test_two_operators_at_once_deny_rather_than_let_a_revoked_device_in():
    """One revokes the first device, whose place the tablet takes; the other, elsewhere, the tablet."""
    both = merge(revoked_device(ALICE, "first", BY), revoked_device(ALICE, "tablet", BY))
    assert alive(both) == set() and both.current.denied and handout(both, "alice")["denied"]


def test_who_has_only_a_revoked_device_is_denied():
    only = person(TABLET, devices={"tablet": device(TABLET, revoked_through=1)})
    assert alive(only) == set() and only.current.denied


def test_revoking_the_person_ends_all_devices_and_a_new_key_brings_none_back():
    left = revoked(THREE, BY)
    assert alive(left) == set() and left.current.denied
    back = merge(left, person(key("new", generation=left.revoked_through + 1, **PROVEN)))
    assert back.second is None and handout(back, "alice")["second"] is None


def test_a_new_key_for_a_second_device():
    after = with_new_device_key(ALICE, "tablet", key("new", codes=frozenset(["12345678"])), False, BY)
    assert alive(after) == {PHONE.id} and not waiting_key(after, "tablet").codes
    assert handout(after, "alice")["second"]["pending"]["secret"] == secret("new")
    assert with_new_device_key(after, "tablet", key("another"), False, BY) == after
    again = with_new_device_key(after, "tablet", key("another"), True, BY)
    assert waiting_key(again, "tablet").secret == secret("another")
    proven = key("new", generation=waiting_key(after, "tablet").generation, **LATER)
    assert merge(after, person(devices={"tablet": device(proven)})).second.validated.id == proven.id
    first = with_new_device_key(person(PHONE), "tablet", key("new"), False, BY)
    assert waiting_key(first, "tablet").secret == secret("new"), "a person who had no second device"


@pytest.mark.parametrize(
    ("record", "name", "told"),
    [
        (ALICE, "first", "first is the first device of alice"),
        (revoked_device(ALICE, "first", BY), "tablet", "tablet is the first device of alice"),
        (ALICE, "tabelt", "has a second device already, tablet"),
        (person(key("phone")), "tablet", "has no validated key"),
        (person(PHONE), "../tablet", "must be a short name"),
    ],
)
def test_what_can_get_no_new_key(record, name, told):
    with pytest.raises(FleetMfaError, match=told):
        with_new_device_key(record, name, key("new"), False, BY)


# Hosts


def merged(store, *hosts):
    return Batch(store, list(hosts)).merge(check_mode=False)


def findings(done):
    return sorted((one.id, *one.evidence) for one in done.findings)


def test_a_device_validated_on_one_host_is_given_to_the_others_and_told(open_file):
    done = merged(open_file(), collected("web1", host_key(), host_second(used=[7])), collected("web2"))
    assert findings(done) == [
        ("device_added", "alice: the key of second device tablet, validated on web1, lets in on every host from now on")
    ]
    (told,) = done.handouts["web2"]["people"]
    assert told["second"]["validated"]["burnt_steps"] == [7]
    assert f"key {TABLET.id} of second device tablet added" in done.changes["alice"]
    assert merged(open_file(), collected("web1", host_key(), host_second(used=[7]))).changes == {}
    again = merged(open_file(), collected("web2", host_key(), host_second(used=[7])))
    assert [one.id for one in again.findings] == ["token_used_twice"]


def test_two_hosts_that_made_different_keys_for_one_device(open_file):
    hosts = [
        collected("web1", host_key(), host_second(name="a", since=START + 5)),
        collected("web2", host_key(), host_second(name="b", since=START + 3)),
        collected("db1", host_key(), host_second(name="c", device="spare", since=START + 4)),
    ]
    for order in itertools.permutations(hosts):
        done = Batch(open_file(), list(order)).merge(check_mode=True)
        told = [done.handouts[host]["people"][0]["second"] for host in ("web1", "web2", "db1")]
        assert {(one["device"], one["validated"]["secret"]) for one in told} == {("tablet", secret("b"))}
        assert {one.id for one in done.findings} == {"device_added", "key_displaced"}


NAMES = ["../../etc/shadow", "first", "", "TABLET", "tab let", "a" * 40, 7, ["tablet"], {"tablet": 1}, True]


@pytest.mark.parametrize("name", NAMES, ids=repr)
def test_a_forged_device_name_is_not_collected(open_file, name):
    done = merged(open_file(), collected("web1", host_key(), host_second(device=name), host_key("bob", "bobs")))
    (finding,) = done.findings
    assert finding.id == "key_not_collected" and "alice on web1: device: " in finding.evidence[0]
    assert "etc" not in finding.evidence[0]
    people = open_file().read()
    assert people["alice"].devices == {} and set(people) == {"alice", "bob"}


def test_a_host_can_have_one_second_device_of_an_account(open_file):
    many = [host_second(name=f"{number}", device=f"d{number}") for number in range(1000)]
    done = merged(open_file(), collected("web1", host_key(), *many))
    (finding,) = done.findings
    assert finding.id == "key_not_collected" and "only one" in finding.evidence[0]
    assert open_file().read()["alice"].devices == {}


def test_a_host_that_adds_a_device_with_each_sync_comes_to_an_end(open_file):
    for number in range(10):
        done = merged(open_file(), collected("web1", host_key(), host_second(name=f"{number}", device=f"d{number}")))
    assert len(open_file().read()["alice"].devices) == 4
    assert "the person has 4 others (d0, d1, d2, d3), of which one counts" in done.findings[0].evidence[0]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ([host_second()], "the first device of this person has no validated key"),
        ([host_key(), host_second(name="phone")], "its key is that of another device"),
        ([host_key(), host_second(generation=9)], "the host calls it generation 9, the store knows 0"),
        ([host_key(), host_second(secret="short")], "secret"),
    ],
)
def test_what_is_not_collected(open_file, answer, told):
    done = merged(open_file(), collected("web1", *answer))
    assert [(one.id, told in one.evidence[0]) for one in done.findings] == [("key_not_collected", True)]
    assert not open_file().read().get("alice", Person("alice")).devices


@pytest.mark.parametrize(
    "claims",
    [
        [host_second()],
        [host_second(generation=3)],
        [host_second(name="unknown")],
        [host_second(device="spare", generation=3)],
        [host_key(name="tablet", generation=2)],
        [host_second(generation=2), host_key(name="tablet", generation=2)],
    ],
    ids=["stale", "newer", "unknown key", "other name", "as the first device", "both"],
)
def test_a_revoked_device_is_not_brought_back_by_a_host(open_file, claims):
    before = revoked_device(ALICE, "tablet", BY)
    open_file().merge_in({"alice": before})
    done = merged(open_file(), collected("web1", host_key(), *claims), collected("web2", host_key()))
    record = open_file().read()["alice"]
    assert alive(record) == {PHONE.id} and handout(record, "alice")["second"] is None
    assert {one.id for one in record.all_keys} == {one.id for one in before.all_keys}
    is_stale = claims == [host_second()]  # what it has used since is taken in
    assert bool(done.findings) != is_stale and all("revoked" in one.evidence[0] for one in done.findings)


@pytest.mark.parametrize("generation", [1, 2, 3, 4])
@pytest.mark.parametrize("recovered", [False, True])
def test_a_revoked_person_is_not_brought_back_by_a_host(open_file, generation, recovered):
    """Of which generation the host calls keys that the store knows as dead, of either device."""
    after = revoked(ALICE, BY)
    new = key("new", generation=3, **LATER)
    open_file().merge_in({"alice": after.with_key(new) if recovered else after})
    claims = [host_key(generation=generation), host_second(generation=generation)]
    merged(open_file(), collected("web1", *claims))
    assert alive(open_file().read()["alice"]) == ({new.id} if recovered else set())


def test_a_device_that_a_host_made_the_first_one_is_that_everywhere(open_file):
    open_file().merge_in({"alice": ALICE})
    done = merged(
        open_file(),
        collected("web1", host_key(name="tablet", generation=2)),
        collected("web2", host_key(), host_second()),
    )
    told = done.handouts["web2"]["people"][0]
    assert told["validated"]["secret"] == secret("tablet") and told["second"] is None


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"state": "absent"}, "second device tablet has a key in the key store; revoke it"),
        ({"secret": secret("other"), "state": "validated"}, "has another validated key in the key store"),
        ({"device": "spare", "secret": secret("other")}, "the person's second device is tablet"),
        ({}, None),
        ({"secret": secret("tablet"), "state": "validated"}, None),
        ({"secret": secret("other")}, None),
        ({"state": "promoted"}, None),
    ],
)
def test_entries_of_mfa_keys_for_a_living_device(open_file, entry, told):
    assert _refused(open_file, ALICE, entry) == told or told in _refused(open_file, ALICE, entry)


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"state": "absent"}, None),
        ({"secret": secret("tablet")}, "the key of second device tablet was revoked or replaced"),
        ({"secret": secret("tablet"), "device": "spare"}, "the key of second device spare was revoked or replaced"),
        ({"secret": secret("other")}, "second device tablet was revoked; take the entry out"),
        ({"device": "spare", "secret": secret("other")}, None),
    ],
)
def test_entries_of_mfa_keys_for_a_revoked_device(open_file, entry, told):
    found = _refused(open_file, revoked_device(ALICE, "tablet", BY), entry)
    assert found == told or told in found


def _refused(open_file, record, entry):
    open_file().merge_in({"alice": record})
    given = given_keys([{"user": "alice", "device": "tablet", **entry}])
    return Batch(open_file(), [collected("web1", given=given)]).merge(True).handouts["web1"].get("refused")


def test_an_empty_device_is_no_device():
    assert person(PHONE, devices={"tablet": Device()}).second is None
