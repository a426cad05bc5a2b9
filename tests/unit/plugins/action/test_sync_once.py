# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The key store is opened once for all hosts of a run, what is wrong with one host is of that host alone, and what travels between
the tasks is sealed."""

from __future__ import annotations

import grp
import json

import pytest

from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.person import Person
from ansible_collections.fleetmfa.ssh.tests.support.local_fleet import LocalFleet
from ansible_collections.fleetmfa.ssh.tests.support.people import secret


@pytest.fixture
def fleet(hosts, preparation):
    """Four hosts; alice's key was validated on the first, and all are synced."""
    return preparation.of(LocalFleet(hosts.folder, ("web1", "web2", "web3", "web4")), alice_everywhere)


def alice_everywhere(fleet):
    fleet.validated("web1", "alice", "one")
    fleet.sync()


def has(fleet, host, user, name):
    found = fleet.state[host].validated(user)
    return found is not None and found.secret_text == secret(name)


def test_decrypted_once_a_run(fleet):
    fleet.validated("web3", "bob", "two")
    fleet.sync("-vvv", "--diff")
    assert fleet.decryptions == 1
    assert all(has(fleet, name, "bob", "two") for name in fleet.names)
    fleet.sync()
    assert fleet.decryptions == 1, "without news, too"


def test_what_travels_between_tasks_is_sealed(fleet):
    """A callback is told all results and arguments; LocalFleet has searched them for secrets."""
    fleet.sync("-vvv")
    tasks = {one["task"] for one in fleet.records if "task" in one}
    assert any("Merge" in task for task in tasks) and any("Collect" in task for task in tasks)
    [merged] = [one["told"] for one in fleet.records if "handouts" in one.get("told", {})]
    assert sorted(merged["handouts"]) == sorted(fleet.names)


@pytest.mark.release
def test_in_check_mode_hosts_are_told_of_what_was_not_written(fleet):
    fleet.validated("web3", "bob", "two")
    output = fleet.sync("--check", "--diff")
    assert output.count("bob: validated key created, joins mfa-web") == 3
    assert "bob" not in fleet.store.read() and not has(fleet, "web1", "bob", "two")


@pytest.mark.release
def test_a_host_with_keys_of_another_store_fails_alone(fleet):
    fleet.state["web4"].converge_validated("alice", lambda found: found.with_meta(store="of-another-fleet"))
    fleet.validated("web3", "bob", "two")
    output = fleet.sync(ok=False)
    assert "came from another key store" in output and fleet.failed(output) == {"web4"}
    assert has(fleet, "web1", "bob", "two") and not has(fleet, "web4", "bob", "two")


def test_a_host_that_cannot_be_reached_fails_alone(fleet):
    fleet.validated("web3", "bob", "two")
    output = fleet.sync(ok=False, of_hosts={"web1": {"ansible_python_interpreter": "/nowhere/python"}})
    assert fleet.failed(output) == {"web1"}
    assert has(fleet, "web2", "bob", "two") and not has(fleet, "web1", "bob", "two")


@pytest.mark.release
def test_hosts_of_two_stores(fleet):
    """Each has its own people, and each store is opened once."""
    fleet.state["web4"].converge_validated("alice", lambda found: None)
    fleet.validated("web4", "bob", "two")
    fleet.validated("web3", "carol", "three")
    other = {"web4": {"mfa_store_path": str(fleet.folder / "other.yml")}}
    fleet.sync(of_hosts=other)
    fleet.sync(of_hosts=other)
    assert fleet.decryptions == 2
    assert has(fleet, "web1", "carol", "three") and not has(fleet, "web4", "carol", "three")
    assert not has(fleet, "web1", "bob", "two")


def test_a_store_that_is_lost_stops_all_hosts(fleet):
    fleet.validated("web3", "bob", "two")
    (fleet.folder / "store.yml.backup").write_bytes((fleet.folder / "store.yml").read_bytes())
    (fleet.folder / "store.yml").unlink()
    output = fleet.sync(ok=False)
    assert "a key store was lost" in output and not has(fleet, "web1", "bob", "two")
    assert not any("Give" in one.get("task", "") for one in fleet.records)


@pytest.mark.release
def test_batches(fleet):
    """serial: the store is opened once for each batch, and the second one is told what the first one knew."""
    fleet.validated("web1", "bob", "two")
    book = fleet.folder / "batches.yml"
    role = {"ansible.builtin.import_role": {"name": "fleetmfa.ssh.mfa", "tasks_from": "sync.yml"}}
    book.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "serial": 2, "tasks": [role]}]))
    fleet.play(str(book))
    assert fleet.decryptions == 2 and has(fleet, "web4", "bob", "two")


@pytest.mark.release
def test_another_strategy(fleet):
    """Strategy free cannot run a task once for all hosts, and says so; host variables of a play count as well."""
    fleet.validated("web1", "bob", "two")
    role = {"ansible.builtin.import_role": {"name": "fleetmfa.ssh.mfa", "tasks_from": "sync.yml"}}
    play = {"hosts": "all", "gather_facts": False, "tasks": [role], "vars": {"mfa_users": ["bob"]}}
    book = fleet.folder / "free.yml"
    book.write_text(json.dumps([{**play, "strategy": "free"}]))
    assert "bypasses the host loop" in fleet.play(str(book), ok=False)
    assert not has(fleet, "web2", "bob", "two")


@pytest.mark.release
class TestGroups:
    """mfa_users: %team, in sync."""

    def test_members(self, fleet, accounts):
        accounts.add_group("team", ["bob"])
        for user in ("bob", "carol"):
            fleet.validated("web1", user, "two" if user == "bob" else "three")
        fleet.sync(mfa_users=["%team"])
        assert has(fleet, "web2", "bob", "two") and not has(fleet, "web2", "carol", "three")

    def test_an_unknown_group(self, fleet):
        output = fleet.sync(ok=False, mfa_users=["alice", "%tema"])
        assert "users, entry 2: there is no group 'tema'" in output and "mfa_users" in output
        fleet.sync(mfa_users=["alice", "%tema"], mfa_unknown_users="skip")


class TestSite:
    """What `site` predicts; scenario fleet of Molecule sees what it does."""

    HOST = {"mfa_enrollment": False, "mfa_confirm_without_login": True}

    @pytest.mark.release
    def test_without_a_store_nothing_is_new(self, fleet):
        fleet.play("fleetmfa.ssh.site", "--check", **self.HOST, mfa_store="")
        tasks = [one["task"] for one in fleet.records if "task" in one]
        assert tasks and not any("Collect" in task or "Merge it" in task for task in tasks) and not fleet.decryptions

    @pytest.mark.release
    def test_a_new_host_knows_its_users(self, fleet):
        new = LocalFleet(fleet.folder, ("web5",))
        output = new.play("fleetmfa.ssh.site", "--check", "--diff", **self.HOST)
        assert "alice: validated key created, joins mfa-web5" in output and new.decryptions == 1
        assert not new.state["web5"].users()

    @pytest.mark.release
    def test_keys_and_what_the_store_has(self, fleet):
        """Without PAM and sshd, which this machine must keep: in site's order, and a second run changes nothing."""
        new = LocalFleet(fleet.folder, ("web5", "web6"))
        parts = ("collect", "keys", "distribute")
        tasks = [{"fleetmfa.ssh.role_settings": None, "register": "mfa__read"}]
        tasks += [
            {"ansible.builtin.import_role": {"name": "fleetmfa.ssh.mfa", "tasks_from": f"{part}.yml"}} for part in parts
        ]
        book = fleet.folder / "keys.yml"
        book.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
        new.play(str(book), "--diff", mfa_users=["%alice", "bob"])
        assert all(has(new, name, "alice", "one") for name in new.names) and new.decryptions == 1
        state = new.state["web6"]
        assert state.pending("alice") is None and state.validated("bob") is None and state.pending("bob") is not None
        assert grp.getgrnam("mfa-web6").gr_mem == ["alice"]
        assert "changed=1" not in new.play(str(book), mfa_users=["%alice", "bob"])

    @pytest.mark.release
    @pytest.mark.parametrize(
        ("entry", "told"),
        [
            ({"user": "alice", "state": "absent"}, "entry 1, user alice: the user has a key in the key store"),
            ({"user": "alice", "state": "validated", "secret": secret("two")}, "another validated key"),
            ({"user": "bob", "secret": secret("two")}, "entry 1, user bob: all keys of this person were revoked"),
        ],
    )
    def test_keys_that_contradict_the_store(self, fleet, entry, told):
        fleet.store.merge_in({"bob": Person("bob", revoked_through=1)})
        output = fleet.play("fleetmfa.ssh.site", "--check", ok=False, mfa_keys=[entry], **self.HOST)
        assert told in output and fleet.failed(output) == {"web1"}, "the run ends with the first batch"
        assert not any("Provision" in one.get("task", "") for one in fleet.records)

    def test_a_lost_store_stops_before_a_host_is_changed(self, fleet):
        fleet.password.write_text("another password")
        output = fleet.play("fleetmfa.ssh.site", "--check", ok=False, **self.HOST)
        assert "cannot be decrypted" in output
        assert not any("Provision" in one.get("task", "") for one in fleet.records)
