# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Second devices between the key files of several hosts and one key store, and what a host that was away brings back."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.second_keys import SecondKeys
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.totp import decode_secret
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.device_lifecycle import (
    revoked_device,
    with_new_device_key,
)
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.handout import handout
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.person import PersonKey
from ansible_collections.fleetmfa.ssh.tests.support.fleet_with_store import BY, Decisions
from ansible_collections.fleetmfa.ssh.tests.support.people import secret

SECOND = {"user": "alice", "device": "tablet", "secret": secret("tablet"), "state": "validated"}


class Devices(Decisions):
    """Alice's phone is validated on both hosts. `away` hosts are not synced, `off` ones accept no second devices."""

    def __init__(self, host, folder):
        super().__init__(host, folder)
        self.away, self.off = set(), set()

    def sync(self):
        reached = [name for name in self.hosts if name not in self.away]
        findings = [one.id for name in reached for one in self.collect(name)]
        results = [self.distribute(name) for name in reached]
        assert not any(self.distribute(name)["changed"] for name in reached), "a second run changes nothing"
        return findings, results

    def distribute(self, name, ok=True, **options):
        return super().distribute(name, ok, **{"second_device": name not in self.off, **options})

    def revoke_device(self, name):
        return self.store.change(["alice"], lambda person: revoked_device(person, name, BY))

    def new_device_key(self, name, device="tablet"):
        key = PersonKey(secret(name), issuer="SSH", account="alice")
        return self.store.change(["alice"], lambda person: with_new_device_key(person, device, key, False, BY))

    def second(self, name):
        return SecondKeys(self.hosts[name].state_dir)

    def devices(self):
        """What lets alice in, by host: her validated keys, of the first device and of the second."""
        names = {decode_secret(secret(name)): name for name in ("one", "new", "tablet", "spare", "other")}
        found = {}
        for name, host in self.hosts.items():
            keys = host.state_dir.validated("alice"), self.second(name).validated("alice")
            found[name] = [names.get(key.secret, "nobody's") for key in keys if key]
        return found

    def everywhere(self, *devices):
        return dict.fromkeys(self.hosts, [*devices])


@pytest.fixture
def fleet(host, tmp_path):
    made = Devices(host, tmp_path)
    made.hosts["web1"].make_validated("alice", "one")
    made.sync()
    return made


def test_validated_on_one_host_lets_in_on_the_other(fleet, web1, web2):
    web1.totp_key(SECOND, {"user": "alice"}, rate_limit_attempts=9)
    findings, results = fleet.sync()
    assert findings == ["device_added"] and fleet.devices() == fleet.everywhere("one", "tablet")
    assert "alice: validated key of tablet created" in results[1]["diff"]["prepared"]
    (alice,) = results[1]["users"]
    assert (alice["second_device"], alice["enforced"], alice["changed"]) == ("tablet", True, False)
    there, first = fleet.second("web2").validated("alice"), web2.state_dir.validated("alice")
    assert there.meta["device"] == "tablet" and there.recovery_codes == [] and there.uid == first.uid
    assert there.settings == first.settings, "one limit counts the attempts with both"


def test_site_and_sync_do_not_undo_each_other(fleet, web1, web2):
    web1.totp_key(SECOND)
    fleet.sync()
    for one in (web1, web2):
        one.totp_key(SECOND)
    fleet.sync()
    assert not any(one.totp_key(SECOND)["changed"] for one in (web1, web2))


def test_a_host_that_accepts_none_gets_none_and_loses_none(fleet, web1):
    fleet.off = {"web2"}
    web1.totp_key(SECOND)
    fleet.sync()
    assert fleet.devices() == {"web1": ["one", "tablet"], "web2": ["one"]}
    assert not (Path(fleet.hosts["web2"].state_dir.path) / "second").exists()
    fleet.off = {"web1"}  # switched off there, and on on the other one
    fleet.sync()
    assert fleet.devices() == fleet.everywhere("one", "tablet"), "the key is there, and PAM does not ask for it"
    fleet.revoke_device("tablet")
    fleet.sync()
    assert fleet.devices() == fleet.everywhere("one"), "it would count again with the setting"


def test_a_token_used_on_one_host_is_used_on_the_other(fleet, web1, web2):
    web1.totp_key(SECOND)
    fleet.sync()
    step = int(time.time()) // 30
    fleet.second("web1").converge_validated(
        "alice", lambda key: key if step in key.used_steps else key.with_burnt([step]).with_meta(burnt=None)
    )
    fleet.sync()
    assert step in fleet.second("web2").validated("alice").used_steps
    assert f"s{step}" in Path(web2.state_dir.path, "guard/alice").read_text().split()
    assert step not in web2.state_dir.validated("alice").used_steps, "the other device's token is another one"


def test_a_pending_one_is_validated_where_another_host_knows_it(fleet, web1, web2):
    for one in (web1, web2):
        one.totp_key({**SECOND, "state": "present"})
    fleet.sync()
    assert fleet.devices() == fleet.everywhere("one") and fleet.second("web2").pending("alice")
    fleet.validate("web1", device="tablet")
    fleet.sync()
    assert fleet.devices() == fleet.everywhere("one", "tablet") and not fleet.second("web2").pending("alice")


def test_a_device_validated_between_the_two_halves_stays(fleet, web1, web2):
    fleet.collect("web1")
    web1.totp_key(SECOND)
    assert not fleet.distribute("web1")["changed"] and fleet.devices()["web1"] == ["one", "tablet"]
    fleet.sync()
    web1.totp_key({"user": "alice", "device": "tablet", "state": "promoted"})
    assert not fleet.distribute("web1")["changed"] and fleet.devices()["web1"] == ["tablet"]
    fleet.sync()
    assert fleet.devices() == fleet.everywhere("tablet")


def test_two_hosts_that_made_different_keys(fleet, web1, web2):
    web1.totp_key(SECOND)
    web2.totp_key({**SECOND, "secret": secret("other")})
    since = fleet.second("web1").validated("alice").since
    fleet.second("web2").converge_validated("alice", lambda key: key.with_meta(since=since - 60))
    assert "key_displaced" in fleet.sync()[0]
    assert fleet.devices() == fleet.everywhere("one", "other")


def test_two_hosts_with_different_devices(fleet, web1, web2):
    web1.totp_key(SECOND)
    fleet.sync()
    fleet.second("web2").remove_validated("alice")
    web2.totp_key({**SECOND, "device": "spare", "secret": secret("spare")})
    fleet.second("web2").converge_validated("alice", lambda key: key.with_meta(since=int(time.time()) + 60))
    assert fleet.sync()[0] == ["key_displaced"]
    assert fleet.devices() == fleet.everywhere("one", "tablet")
    fleet.revoke_device("tablet")
    fleet.sync()
    assert fleet.devices() == fleet.everywhere("one", "spare"), "the other one takes its place"


# Lost devices


def test_a_lost_second_device_is_dead_and_a_host_that_was_away_does_not_bring_it_back(fleet, web1, web2):
    web1.totp_key(SECOND)
    fleet.sync()
    fleet.away = {"web2"}
    fleet.revoke_device("tablet")
    fleet.sync()
    assert fleet.devices() == {"web1": ["one"], "web2": ["one", "tablet"]} and web1.members == {"alice"}
    fleet.away = set()
    fleet.second("web2").converge_validated("alice", lambda key: key.with_meta(generation=2))
    fleet.sync()
    assert fleet.devices() == fleet.everywhere("one")


def test_a_device_that_the_store_did_not_know_is_dead_if_its_name_is(fleet, web1, web2):
    """The host that was away has another key of the same name, validated or promoted since."""
    web1.totp_key(SECOND)
    fleet.away = {"web2"}
    fleet.sync()
    web2.totp_key({**SECOND, "secret": secret("other")})
    fleet.revoke_device("tablet")
    fleet.away = set()
    assert fleet.sync()[0] == ["key_not_collected"] and fleet.devices() == fleet.everywhere("one")


def test_a_revoked_device_that_was_promoted_meanwhile_is_dead(fleet, web1, web2):
    web1.totp_key(SECOND)
    fleet.sync()
    web2.totp_key({"user": "alice", "device": "tablet", "state": "promoted"})
    fleet.revoke_device("tablet")
    assert fleet.sync()[0] == ["key_not_collected"] and fleet.devices() == fleet.everywhere("one")


def test_a_revoked_device_lets_in_under_no_other_name(fleet, web1, web2):
    web1.totp_key(SECOND)
    fleet.sync()
    fleet.revoke_device("tablet")
    fleet.second("web2").remove_validated("alice")
    web2.totp_key({**SECOND, "device": "spare"})
    assert fleet.sync()[0] == ["key_not_collected"] and fleet.devices() == fleet.everywhere("one")


def test_a_lost_first_device_leaves_the_second_as_the_first(fleet, web1, web2):
    web1.totp_key(SECOND)
    fleet.sync()
    Path(web2.state_dir.path, "guard/alice").write_text("claimed s100 77\n")
    fleet.off = {"web1"}
    fleet.revoke_device("first")
    fleet.sync()
    assert fleet.devices() == fleet.everywhere("tablet") and web1.members == web2.members == {"alice"}
    assert "100" in Path(web2.state_dir.path, "guard/alice").read_text().split(), "its used tokens stay used"
    assert not any(one.totp_key({**SECOND, "state": "present"})["changed"] for one in (web1, web2))
    fleet.new_device_key("new", "phone2")
    fleet.off = set()
    fleet.sync()
    fleet.validate("web2", device="phone2")
    fleet.sync()
    assert fleet.devices() == fleet.everywhere("tablet", "new")


def test_a_host_that_was_away_brings_no_lost_first_device_back(fleet, web1, web2):
    web1.totp_key(SECOND)
    fleet.sync()
    fleet.away = {"web2"}
    fleet.revoke_device("first")
    fleet.sync()
    web2.totp_key({"user": "alice", "state": "rotated", "secret": secret("other")})
    web2.totp_key({"user": "alice", "state": "validated", "secret": secret("other")})
    fleet.away = set()
    fleet.sync()
    assert fleet.devices() == fleet.everywhere("tablet")


def test_a_new_key_for_a_lost_second_device(fleet, web1, web2):
    web1.totp_key(SECOND)
    fleet.sync()
    fleet.new_device_key("new")
    fleet.sync()
    assert fleet.devices() == fleet.everywhere("one")
    assert [fleet.second(name).pending("alice").secret_text for name in fleet.hosts] == [secret("new")] * 2
    fleet.validate("web1", device="tablet")
    assert fleet.sync()[0] == [] and fleet.devices() == fleet.everywhere("one", "new")


# Lost persons


def test_who_leaves_loses_all_devices_everywhere(fleet, web1, web2):
    web1.totp_key(SECOND)
    fleet.sync()
    fleet.away = {"web2"}
    fleet.revoke()
    fleet.sync()
    assert fleet.devices()["web1"] == ["nobody's"]
    fleet.away = set()
    assert fleet.sync()[0] == [] and fleet.devices() == fleet.everywhere("nobody's")


@pytest.mark.parametrize("is_known", [True, False])
def test_a_second_device_does_not_survive_a_recovery_on_a_host_that_was_away(fleet, web1, web2, is_known):
    """Until after the new first key was validated; also if the store has never heard of the device."""
    fleet.away = set() if is_known else {"web2"}
    web2.totp_key(SECOND)
    fleet.sync()
    fleet.away = {"web2"}
    fleet.new_key()
    fleet.sync()
    fleet.validate("web1")
    fleet.sync()
    fleet.away = set()
    fleet.sync()
    assert fleet.devices() == fleet.everywhere("new")
    web1.totp_key({**SECOND, "secret": secret("other")})
    fleet.sync()
    assert fleet.devices() == fleet.everywhere("new", "other"), "a name may be used again for another key"


def test_a_key_provisioned_before_the_first_one_counts_if_validated_beside_it(fleet, web1, web2):
    """The host did not know yet that the person's first key is of a later generation."""
    fleet.away = {"web2"}
    fleet.new_key()
    fleet.sync()
    fleet.validate("web1")
    web1.totp_key({**SECOND, "state": "present"})
    fleet.sync()
    fleet.validate("web1", device="tablet")
    fleet.away = set()
    fleet.sync()
    assert fleet.devices() == fleet.everywhere("new", "tablet")


def test_rotation_by_age_is_of_the_first_device(fleet, web1):
    web1.totp_key(SECOND)
    fleet.sync()
    fleet.rotate()
    fleet.sync()
    for name, host in fleet.hosts.items():
        assert host.state_dir.pending("alice") and not fleet.second(name).pending("alice")
    fleet.validate("web1")
    fleet.sync()
    assert {tuple(found[1:]) for found in fleet.devices().values()} == {("tablet",)}


def test_check_mode_tells_and_changes_nothing(fleet, web1):
    web1.totp_key(SECOND)
    fleet.collect("web1")
    found = fleet.distribute("web2", check_mode=True)
    assert found["changed"] and "validated key of tablet created" in found["diff"]["prepared"]
    assert fleet.devices()["web2"] == ["one"]


def test_a_second_key_that_cannot_be_used_is_named_and_the_first_one_collected(fleet, web1):
    web1.totp_key(SECOND)
    path = Path(web1.state_dir.path, "second/alice")
    path.chmod(0o644)
    found = web1.run("totp_key_collect", human_accounts=True, seal="00:" * 31 + "00")
    assert "second device" in found["unusable"]["alice"]
    fleet.sync()
    assert "alice" in fleet.store.read() and fleet.store.read()["alice"].devices == {}


@pytest.mark.parametrize("name", ["../../etc/shadow", "first", "Tablet"])
def test_a_forged_handout_is_refused(fleet, web1, web2, name):
    """The host does not rely on the store for what it makes of a name."""
    web1.totp_key(SECOND)
    fleet.sync()
    fleet.second("web2").remove_validated("alice")
    told = handout(fleet.alice, "alice")
    told["second"]["device"] = name
    found = web2.run(
        "totp_key_distribute",
        ok=False,
        handout="",
        second_device=True,
        unknown_first_factor="accept",
        _stored={"store": fleet.store.head.id, "people": [told]},
    )
    assert "alice" in found["msg"] and "second device: device: " in found["msg"]
    assert fleet.devices()["web2"] == ["one"]
