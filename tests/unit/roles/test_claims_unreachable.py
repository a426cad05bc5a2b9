# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The claim store is away, hangs, or is not the one it should be: `deny` lets nobody in, `local` claims on the host alone.

With `deny` a token never lets in two logins, whatever happens to the store in between.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import signal

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.guard_claims import last_fallback
from ansible_collections.fleetmfa.ssh.tests.support.bad_stores import answering, hanging, losing_answers
from ansible_collections.fleetmfa.ssh.tests.support.certificates import Authority
from ansible_collections.fleetmfa.ssh.tests.support.etcd_cluster import wait_until

HTTP = "HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}"
NOBODY_LISTENS = "https://127.0.0.1:9"
# On a busy machine the program is ended before it can say why.
ENDED = "totp-claim failed"
SOON = 2  # seconds; for what never answers


def http(body: str, status: str = "200 OK") -> bytes:
    return HTTP.format(status=status, length=len(body), body=body).encode()


@contextlib.contextmanager
def nobody_listens(_fleet, _cluster):
    yield {"endpoints": NOBODY_LISTENS}


@contextlib.contextmanager
def hangs(_fleet, _cluster):
    with hanging() as store:
        yield {"endpoints": store.endpoint, "timeout": SOON}


@contextlib.contextmanager
def signed_by_somebody_else(fleet, _cluster):
    yield {"ca": Authority(fleet.hosts[0].folder / "other", "other").path}


@contextlib.contextmanager
def client_unknown(fleet, _cluster):
    client = Authority(fleet.hosts[0].folder / "other", "other").issue("client")
    yield {"cert": client.cert, "key": client.key}


@contextlib.contextmanager
def client_expired(_fleet, cluster):
    client = cluster.authority.issue("expired", valid=-datetime.timedelta(days=1))
    yield {"cert": client.cert, "key": client.key}


@contextlib.contextmanager
def certificate_of_another_host(_fleet, cluster):
    """The right CA, and the certificate of another of its servers."""
    yield {"endpoints": " ".join(cluster.endpoints).replace("127.0.0.1", "localhost")}


@contextlib.contextmanager
def no_key(_fleet, _cluster):
    yield {"key": "/nonexistent"}


@contextlib.contextmanager
def reading_a_file_hangs(fleet, _cluster):
    """As a name server does that never answers: no deadline of a socket ends it."""
    fifo = fleet.hosts[0].folder / "fifo"
    os.mkfifo(fifo)
    yield {"ca": fifo, "timeout": SOON}


@contextlib.contextmanager
def a_setting_is_missing(_fleet, _cluster):
    yield {"timeout": ""}


def speaks(answer: bytes):
    @contextlib.contextmanager
    def store(_fleet, cluster):
        with answering(cluster, answer) as bad:
            yield {"endpoints": bad.endpoint, "timeout": SOON}

    return store


@contextlib.contextmanager
def loses_answers(_fleet, cluster):
    with losing_answers(cluster) as store:
        yield {"endpoints": store.endpoint, "timeout": SOON}


STORES = {
    "nobody listens": (nobody_listens, "Connection refused"),
    "hangs": (hangs, "no answer in time"),
    "another CA": (signed_by_somebody_else, "its certificate is not accepted"),
    "client unknown": (client_unknown, "TLS: "),
    "client expired": (client_expired, "TLS: "),
    "another host": (certificate_of_another_host, "its certificate is not accepted"),
    "no client key": (no_key, "cannot be used (No such file or directory)"),
    "a file hangs": (reading_a_file_hangs, "totp-claim failed"),
    "no timeout": (a_setting_is_missing, "run the role again"),
    "not HTTP": (speaks(b"220 mail ESMTP\r\n\r\n"), "not etcd's"),
    "not JSON": (speaks(http("<html>")), "not etcd's"),
    "an error": (speaks(http("{}", "503 Service Unavailable")), "HTTP status 503"),
    "endless": (speaks(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n"), "not etcd's"),
    "answer lost": (loses_answers, "no answer in time"),
}


@pytest.fixture(params=STORES)
def store(request, fleet, cluster):
    make, reason = STORES[request.param]
    with make(fleet, cluster) as settings:
        fleet.write_settings(**settings)
        yield settings, reason


def test_deny_lets_nobody_in_and_says_why(store, fleet):
    host = fleet.hosts[0]
    assert not host.answer(fleet.token)
    assert "refused alice: the claim store has not answered: " in host.logged()
    assert store[1] in host.logged() or ENDED in host.logged()
    assert "passed" not in host.state.read_text() and "fell_back" not in host.state.read_text()


@pytest.mark.release
def test_deny_counts_the_token_as_used_on_the_host_even_if_the_store_is_back(store, fleet):
    host = fleet.hosts[0]
    assert not host.answer(fleet.token)
    fleet.write_settings()
    assert not host.answer(fleet.token)
    assert host.answer(host.token(1))


@pytest.mark.release
def test_local_claims_on_the_host_alone_and_leaves_a_record(store, fleet):
    settings, reason = store
    fleet.write_settings(**settings, unreachable="local")
    host = fleet.hosts[0]
    assert host.answer(fleet.token)
    assert "accepted on a claim on this host alone alice: the claim store has not answered: " in host.logged()
    assert reason in host.logged() or ENDED in host.logged()
    assert last_fallback(str(host.state.parent), host.user) is not None
    assert not host.answer(fleet.token), "on the host itself it still counts once"


@pytest.mark.release
@pytest.mark.parametrize(
    "body", ["{}", '{"succeeded": "true"}', '{"succeeded": 1, "responses": [{}]}', '{"succeeded": null}']
)
def test_only_a_clear_yes_is_one(fleet, cluster, body):
    """Even with `local`: this store has answered."""
    with answering(cluster, http(body)) as store:
        fleet.write_settings(endpoints=store.endpoint, unreachable="local", timeout=300)
        assert not fleet.hosts[0].answer(fleet.token)


def test_a_fallback_is_the_only_thing_recorded_as_one(fleet):
    assert fleet.hosts[0].answer(fleet.token)
    assert last_fallback(str(fleet.hosts[0].state.parent), "alice") is None
    fleet.write_settings(endpoints=NOBODY_LISTENS, unreachable="local")
    assert fleet.hosts[0].answer(fleet.hosts[0].token(1))
    found = last_fallback(str(fleet.hosts[0].state.parent), "alice")
    fleet.write_settings()
    assert fleet.hosts[0].answer(fleet.hosts[0].token(-1))
    assert last_fallback(str(fleet.hosts[0].state.parent), "alice") == found, "a later login keeps it"


@pytest.mark.parametrize("value", ["", "loca", "locale", "deny"])
def test_whatever_is_not_local_is_deny(fleet, value):
    fleet.write_settings(endpoints=NOBODY_LISTENS, unreachable=value)
    assert not fleet.hosts[0].answer(fleet.token)


def test_no_program(fleet):
    host = fleet.hosts[0]
    (host.folder / "totp-claim").unlink()
    assert not host.answer(fleet.token)
    fleet.write_settings(unreachable="local")
    assert host.answer(host.token(1))


@pytest.mark.release
@pytest.mark.parametrize("status", [1, 2, 9, 11, 126, 255])
def test_only_status_0_is_a_claim(fleet, status):
    host = fleet.hosts[0]
    (host.folder / "totp-claim").write_text(f"#!/bin/sh\nexit {status}\n")
    assert not host.answer(fleet.token)


@pytest.mark.release
def test_a_login_whose_answer_was_lost_finds_its_own_claim_through_the_next_member(fleet, cluster):
    with losing_answers(cluster) as store:
        fleet.write_settings(endpoints=f"{store.endpoint} {cluster.members[1].endpoint}", timeout=4)
        assert fleet.hosts[0].answer(fleet.token)
        fleet.write_settings()
        assert not any(fleet.in_turn(fleet.token))


@pytest.mark.release
def test_a_claim_whose_answer_was_lost_is_nobody_elses(fleet, cluster):
    """With `deny` the login is refused, and the token is used up everywhere; with `local` it gets in, and nobody else."""
    with losing_answers(cluster) as store:
        for unreachable, gets_in in (("deny", False), ("local", True)):
            fleet.new_key()
            fleet.hosts[0].write_settings(endpoints=store.endpoint, timeout=SOON, unreachable=unreachable)
            assert fleet.in_turn(fleet.token) == [gets_in, False, False, False, False]


def test_a_member_that_hangs_leaves_time_for_the_next(fleet, cluster):
    with hanging() as store, hanging() as another:
        endpoints = f"{store.endpoint} {another.endpoint} {cluster.members[2].endpoint}"
        fleet.hosts[0].write_settings(endpoints=endpoints, timeout=10)
        assert fleet.in_turn(fleet.token) == [True, False, False, False, False]


# The cluster itself


@pytest.mark.parametrize("which", ["leader", "another member"])
@pytest.mark.parametrize("harm", ["killed", "stopped"])
def test_a_member_fails_between_and_during_claims(own_fleet, own_cluster, which, harm):
    """Never two; and one again as soon as the others have agreed on a leader."""
    victim = own_cluster.leader()
    if which != "leader":
        victim = next(member for member in own_cluster.members if member is not victim)
    others = [member for member in own_cluster.members if member is not victim]
    assert own_fleet.at_once(own_fleet.token) == 1
    own_fleet.new_key()
    logins = [host.login() for host in own_fleet.hosts]
    assert all([login.has_prompt() for login in logins])
    for number, login in enumerate(logins):
        if number == 2:
            victim.send(signal.SIGKILL if harm == "killed" else signal.SIGSTOP)
        login.answer(own_fleet.token)
    assert [login.succeeds() for login in logins].count(True) <= 1
    own_cluster.wait_until_claims_work(others)
    counts = []

    def one_gets_in() -> bool:
        own_fleet.new_key()
        counts.append(own_fleet.at_once(own_fleet.token))
        return counts[-1] == 1

    wait_until(one_gets_in)
    assert max(counts) == 1
    victim.send(signal.SIGCONT if harm == "stopped" else signal.SIGKILL)


@pytest.mark.parametrize("unreachable", ["deny", "local"])
def test_without_a_majority_it_is_as_the_option_says(own_fleet, own_cluster, unreachable):
    """A member that is cut off from the others accepts requests, and cannot carry them out: a partition seen by a host."""
    cut_off = own_cluster.members[1:]
    own_fleet.write_settings(unreachable=unreachable, timeout=3)
    for member in cut_off:
        member.send(signal.SIGSTOP)
    during = own_fleet.at_once(own_fleet.token)
    for member in cut_off:
        member.send(signal.SIGCONT)
    own_cluster.wait_until_claims_work()
    assert during == (5 if unreachable == "local" else 0)
    assert not any(own_fleet.in_turn(own_fleet.token)), "what was asked for before may have been carried out since"
    own_fleet.write_settings(unreachable=unreachable)
    own_fleet.new_key()
    assert own_fleet.at_once(own_fleet.token) == 1


@pytest.mark.release
def test_some_hosts_reach_only_a_member_that_hangs(own_fleet, own_cluster):
    """Two do, three reach only the majority: with `deny` one gets in, of those."""
    alone, *majority = own_cluster.members
    for host in own_fleet.hosts[:2]:
        host.write_settings(endpoints=alone.endpoint, timeout=3)
    for host in own_fleet.hosts[2:]:
        host.write_settings(endpoints=" ".join(member.endpoint for member in majority))
    alone.send(signal.SIGSTOP)
    own_cluster.wait_until_claims_work(majority)
    results = own_fleet.at_once(own_fleet.token)
    alone.send(signal.SIGCONT)
    own_cluster.wait_until_claims_work()
    assert results == 1
    assert not any(own_fleet.in_turn(own_fleet.token))


@pytest.mark.release
def test_a_leader_that_was_cut_off_comes_back(own_fleet, own_cluster):
    """It has taken a claim that it could not carry out; meanwhile the others have taken one of the same token."""
    old = own_cluster.leader()
    others = [member for member in own_cluster.members if member is not old]
    first, second, *_rest = own_fleet.hosts
    first.write_settings(endpoints=old.endpoint, timeout=SOON)
    second.write_settings(endpoints=" ".join(member.endpoint for member in others))
    for member in others:
        member.send(signal.SIGSTOP)
    assert not first.answer(own_fleet.token)
    old.send(signal.SIGSTOP)
    for member in others:
        member.send(signal.SIGCONT)
    own_cluster.wait_until_claims_work(others)
    allowed = second.answer(own_fleet.token)
    old.send(signal.SIGCONT)
    own_cluster.wait_until_claims_work()
    assert allowed
    assert not any(own_fleet.in_turn(own_fleet.token))


@pytest.mark.release
def test_the_cluster_is_restarted(own_fleet, own_cluster):
    """Claims are on disk."""
    assert own_fleet.hosts[0].answer(own_fleet.token)
    own_cluster.stop()
    for member in own_cluster.members:
        own_cluster.restart(member)
    own_cluster.wait_until_claims_work()
    assert not any(own_fleet.in_turn(own_fleet.token))
    wait_until(lambda: own_cluster.keys())
