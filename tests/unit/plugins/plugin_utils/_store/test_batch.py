# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Many hosts and one store: opened once however many people and hosts, the same in any order, one host's fault its own."""

from __future__ import annotations

import itertools

import pytest

from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.batch import Batch
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.given_keys import given_keys
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.person import Person, Proven
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.vault_text import VaultText
from ansible_collections.fleetmfa.ssh.tests.support.collected_hosts import collected, host_key
from ansible_collections.fleetmfa.ssh.tests.support.people import CODES, HOSTS, START, key, person, secret


def secrets_of(merged, host):
    return {one["user"]: one["validated"]["secret"] for one in merged.handouts[host]["people"] if one["validated"]}


@pytest.fixture
def decryptions(monkeypatch):
    """Each decryption of a store is an entry."""
    found, decrypt = [], VaultText.decrypt
    monkeypatch.setattr(VaultText, "decrypt", lambda self, *given: (found.append(1), decrypt(self, *given))[1])
    return found


def test_ten_thousand_people_and_many_hosts_are_one_decryption(open_file, decryptions):
    validated = {"validated": Proven(START, "db1"), "codes": frozenset(CODES)}
    people = [person(key(f"{number}", **validated), user=f"user{number}") for number in range(10_000)]
    open_file().merge_in({one.user: one for one in people})
    decryptions.clear()
    hosts = [f"web{number}" for number in range(20)]
    accounts = [f"user{number}" for number in range(100)]
    news = [collected(host, host_key(f"new{host}", host), accounts=[*accounts, f"new{host}"]) for host in hosts]
    merged = Batch(open_file(), news).merge(check_mode=False)
    assert len(decryptions) == 1
    assert all(len(merged.handouts[host]["people"]) == 101 for host in hosts) and len(merged.changes) == 20


def test_any_order_of_hosts(open_file, tmp_path):
    """Two made different keys for alice, one has seen a code spent, and a token was used on two."""
    hosts = [
        collected("web1", host_key(since=START + 5, used=[7])),
        collected("web2", host_key(name="other", since=START + 9), host_key("bob", "bobs")),
        collected("db1", host_key(since=START + 5, spent=["0123456789abcdef"], codes=CODES[1:], used=[7])),
    ]
    found = []
    for order in itertools.permutations(hosts):
        merged = Batch(open_file(), list(order)).merge(check_mode=True)
        found.append([secrets_of(merged, host) for host in HOSTS])
        assert {one.id for one in merged.findings} == {"key_displaced", "token_used_twice"}
    assert all(one == found[0] for one in found)
    assert found[0][0] == {"alice": secret("phone"), "bob": secret("bobs")}


def test_check_mode_tells_the_same_and_writes_nothing(open_file):
    hosts = [collected("web1", host_key()), collected("web2")]
    predicted = Batch(open_file(), hosts).merge(check_mode=True)
    assert open_file().read() == {}
    done = Batch(open_file(), hosts).merge(check_mode=False)
    assert predicted.changes == done.changes and secrets_of(predicted, "web2") == secrets_of(done, "web2")
    assert Batch(open_file(), hosts).merge(check_mode=False).changes == {}


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ([host_key(store="of another fleet")], "came from another key store"),
        ([{"user": "alice"}], "cannot be understood"),
        ([host_key(user="nobody who was asked about")], "cannot be understood"),
        ([host_key(used=None)], "cannot be understood"),
        ([host_key(since=10**20)], "cannot be understood"),
        ("text", "cannot be understood"),
    ],
)
def test_what_is_wrong_with_one_host_is_of_that_host(open_file, answer, told):
    merged = Batch(open_file(), [{**collected("web1"), "keys": answer}, collected("web2", host_key())]).merge(False)
    assert told in merged.handouts["web1"]["refused"] and "people" not in merged.handouts["web1"]
    assert secrets_of(merged, "web2") == {"alice": secret("phone")}
    assert list(open_file().read()) == ["alice"]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"period": 10**9}, "field period"),
        ({"generation": "two"}, "field generation"),
        ({"issuer": "two\nlines"}, "field issuer"),
        ({"account": ["alice"]}, "field account"),
        ({"secret": "too short"}, "secret"),
        ({"generation": 0}, "field generation"),
        ({"codes": ["12"]}, "field recovery_codes"),
        ({"used": [2**50]}, "field burnt_steps"),
        ({"drift": 10**9}, "field drift"),
    ],
)
def test_a_key_that_the_store_could_not_read_again_is_not_collected(open_file, wrong, told):
    merged = Batch(open_file(), [collected("web1", host_key(**wrong), host_key("bob", "bobs"))]).merge(False)
    assert [(one.id, told in one.evidence[0]) for one in merged.findings] == [("key_not_collected", True)]
    assert list(open_file().read()) == ["bob"], "the store can still be read"


def test_a_host_whose_clock_is_off_is_given_keys_but_not_believed(open_file):
    merged = Batch(open_file(), [collected("web1", host_key(), clock_is_off=True), collected("web2")]).merge(False)
    assert merged.changes == {} and merged.handouts["web1"]["people"] == []


def test_entries_of_mfa_keys(open_file):
    """Of one host; user, state and secret as the role has them."""
    open_file().merge_in(
        {"alice": person(key("one", validated=Proven(START, "db1"))), "bob": Person("bob", revoked_through=1)}
    )

    def refused(**entry):
        told = Batch(open_file(), [collected("web1", given=given_keys([entry]))]).merge(True).handouts["web1"]
        return told.get("refused")

    other, uri = secret("two"), f"otpauth://totp/SSH:alice?secret={secret('one')}"
    assert "entry 1, user alice: the user has a key" in refused(user="alice", state="absent")
    assert "a validated key" in refused(user="alice", state="pending")
    assert "another validated key" in refused(user="alice", state="validated", secret=other)
    assert "revoked" in refused(user="bob") and "revoked" in refused(user="bob", state="absent")
    for entry in ({}, {"secret": other}, {"state": "rotated"}, {"state": "validated", "secret": uri}):
        assert refused(user="alice", **entry) is None
    assert refused(user="carol", state="absent") is None, "nobody in the store"
