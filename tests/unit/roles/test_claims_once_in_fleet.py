# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A token, or a recovery code, lets in one login in the whole fleet: five hosts, and a real etcd cluster of three members.

CLAIM_ROUNDS says how often each race is run; `make check-release` sets 100.
"""

from __future__ import annotations

import base64
import json
import os

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._claims.program import CLOCK_SECONDS

ROUNDS = int(os.environ.get("CLAIM_ROUNDS", "25"))
# Of OpenSSL: no version of TLS that etcd takes.
OLD_TLS = "openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n[c]\nMaxProtocol = TLSv1.1\n"
CODES = ["12345678", "23456789", "34567890"]


def test_one_token_on_five_hosts_in_the_same_moment_lets_one_in(fleet):
    for _round in range(ROUNDS):
        fleet.new_key()
        assert fleet.at_once(fleet.token) == 1


def test_without_the_store_all_five_let_it_in(fleet):
    """Else the test above would show nothing."""
    for host in fleet.hosts:
        (host.folder / "claims.conf").unlink()
    assert fleet.at_once(fleet.token) == 5


def test_one_recovery_code_on_five_hosts_in_the_same_moment_lets_one_in(fleet):
    for _round in range(10):
        fleet.new_key(codes=CODES)
        assert fleet.at_once(CODES[1]) == 1
        assert not any(fleet.in_turn(CODES[1]))


def test_five_hosts_and_several_connections_to_each(fleet):
    for _round in range(5):
        fleet.new_key()
        logins = [login for host in fleet.hosts for login in host.asked(3)]
        assert len(logins) == 15
        for login in logins:
            login.answer(fleet.token)
        assert [login.succeeds() for login in logins].count(True) == 1


def test_a_used_token_is_refused_on_every_other_host_with_the_place_of_its_use(fleet):
    assert fleet.in_turn(fleet.token) == [True, False, False, False, False]
    for host in fleet.hosts[1:]:
        assert f"this token has already let in a login on another host: {os.uname().nodename} at 20" in host.logged()
    assert not any(fleet.in_turn(fleet.token))


def test_every_token_and_every_code_counts_on_whichever_host(fleet):
    fleet.new_key(codes=CODES)
    first, second, third, *_others = fleet.hosts
    assert all(
        [first.answer(first.token(-1)), second.answer(CODES[0]), third.answer(first.token()), first.answer(CODES[1])]
    )
    assert not any([second.answer(first.token(-1)), third.answer(CODES[0]), first.answer(first.token())])


def test_a_new_key_is_not_affected_by_the_claims_of_the_old_one(fleet):
    fleet.new_key(codes=CODES)
    assert fleet.hosts[0].answer(CODES[0]) and fleet.hosts[0].answer(fleet.token)
    fleet.new_key(codes=CODES)
    assert fleet.hosts[1].answer(CODES[0]) and fleet.hosts[1].answer(fleet.token)


def test_another_spelling_of_the_name_is_the_same_user(fleet):
    assert fleet.hosts[0].answer(fleet.token, name="ALICE")
    assert not fleet.hosts[1].answer(fleet.token)
    assert not fleet.hosts[2].answer(fleet.token, name="Alice")


def test_another_name_of_the_account_is_the_same_person(fleet):
    """The person has the key, whatever the account is called on a host."""
    other = fleet.hosts[1]
    other.user = "a.smith"
    for path in (other.key_path, other.state):
        path.unlink(missing_ok=True)
    other.key_path, other.state = other.folder / "keys/a.smith", other.folder / "guard/a.smith"
    other.write_key()
    assert fleet.hosts[0].answer(fleet.token)
    assert not other.answer(fleet.token)


def test_the_secret_in_another_spelling_is_the_same_key(fleet):
    path = fleet.hosts[1].key_path
    secret, _newline, rest = path.read_text().partition("\n")
    path.write_text(f"{secret.lower()}\n{rest}")
    assert fleet.hosts[0].answer(fleet.token)
    assert not fleet.hosts[1].answer(fleet.token)
    assert "has already let in a login on another host" in fleet.hosts[1].logged()


def test_a_refused_login_leaves_nothing_that_would_pass_the_account_check(fleet):
    first, second, *_others = fleet.hosts
    assert first.answer(fleet.token) and not second.answer(fleet.token)
    assert "passed" in first.state.read_text()
    assert "passed" not in second.state.read_text()


def test_a_prompt_opened_before_the_key_was_replaced_cannot_claim(fleet):
    """The key is replaced while the store is being asked."""
    host = fleet.hosts[0]
    slow = host.folder / "totp-claim"
    slow.write_text(f"#!/bin/sh\nrm -f {host.state}\n")
    assert not host.answer(fleet.token)
    assert "the key was replaced in the meantime" in host.logged()


def test_nothing_in_the_store_tells_who_it_was(fleet, cluster):
    before = cluster.keys()
    assert fleet.hosts[0].answer(fleet.token)
    fleet.new_key(codes=CODES)
    assert fleet.hosts[0].answer(CODES[0]) and fleet.hosts[0].answer(fleet.token)
    claims = {key: value for key, value in cluster.keys().items() if key not in before}
    assert len(claims) == 3
    text = " ".join(base64.b64decode(part).decode() for pair in claims.items() for part in pair)
    host = fleet.hosts[0]
    secret = base64.b32encode(host.secret).decode()
    for word in (host.user, secret, host.secret.hex(), fleet.token, str(host.step), *CODES, str(int(CODES[0]) % 99991)):
        assert word not in text
    for value in claims.values():
        assert set(json.loads(base64.b64decode(value))) == {"host", "time", "nonce"}


def leases_of(cluster, kept):
    """Seconds that each claim is kept for; None: for ever."""
    found = cluster.members[0].post("/v3/kv/range", {"key": "AA==", "range_end": "AA=="})["kvs"]
    for one in found:
        if one["key"] not in kept:
            lease = one.get("lease")
            yield int(cluster.members[0].post("/v3/lease/timetolive", {"ID": lease})["grantedTTL"]) if lease else None


@pytest.mark.parametrize(("answer", "kept"), [("token", 3 * 30 + 2 * CLOCK_SECONDS), (CODES[0], None)])
def test_a_claim_is_kept_for_as_long_as_it_could_be_used_again(fleet, cluster, answer, kept):
    before = cluster.keys()
    fleet.new_key(codes=CODES)
    assert fleet.hosts[0].answer(fleet.token if answer == "token" else answer)
    assert list(leases_of(cluster, before)) == [kept]


def test_claims_of_another_fleet_in_the_same_store_do_not_count(fleet):
    fleet.hosts[1].write_settings(prefix="/another/")
    assert fleet.in_turn(fleet.token)[:2] == [True, True]


def test_a_host_without_the_settings_starts_no_program(fleet):
    host = fleet.hosts[0]
    (host.folder / "claims.conf").unlink()
    (host.folder / "totp-claim").write_text(f"#!/bin/sh\ntouch {host.folder}/started\n")
    assert host.answer(fleet.token)
    assert not (host.folder / "started").exists()


def test_the_environment_decides_nothing(fleet):
    """Neither which CA is believed, nor what OpenSSL or Python load."""
    host = fleet.hosts[0]
    settings = host.folder / "openssl.cnf"
    settings.write_text(OLD_TLS)
    names = ("OPENSSL_CONF", "SSL_CERT_FILE", "PYTHONHOME", "PYTHONPATH", "https_proxy")
    login = host.login(environment=tuple(f"{name}={settings}" for name in names))
    assert login.has_prompt()
    login.answer(fleet.token)
    assert login.succeeds()
