# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""totp_key_collect and totp_key_distribute between the key files of several hosts and one key store."""

from __future__ import annotations

import json
import time

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.origin import may_be_shown
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.sealed import new_seal
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.second_keys import SecondKeys
from ansible_collections.fleetmfa.ssh.plugins.module_utils._rollback.rollout import Rollout
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system import systemd
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.ingest import STEPS_KEPT
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.person import Person, Proven
from ansible_collections.fleetmfa.ssh.tests.support.fleet_with_store import Fleet
from ansible_collections.fleetmfa.ssh.tests.support.people import CODES, START, key, person, secret


@pytest.fixture
def fleet(host, tmp_path):
    return Fleet(host, tmp_path)


def test_validated_on_one_host_counts_on_the_other(fleet, web1, web2):
    web1.make_validated("alice", "one")
    web2.totp_key({"user": "alice"}, {"user": "bob"})
    assert fleet.sync()[0] == []
    assert web2.has("alice", "one") and web2.members == {"alice"}
    assert web2.state_dir.pending("alice") is None, "replaced by a key that is validated"
    assert web2.state_dir.pending("bob") is not None and "bob" not in fleet.store.read()
    found = web2.state_dir.validated("alice")
    assert sorted(found.recovery_codes) == sorted(CODES) and not may_be_shown(found)
    assert found.since == web1.state_dir.validated("alice").since


def test_a_second_sync_changes_nothing(fleet, web1):
    web1.make_validated("alice", "one")
    fleet.sync()
    before = fleet.store.read()
    assert not any(result["changed"] for result in fleet.sync()[1])
    assert fleet.store.read() == before


def test_site_and_sync_do_not_undo_each_other(fleet, web1, web2):
    wish = {"user": "alice", "secret": secret("one"), "state": "validated", "issuer": "Ours", "account": "alice@ours"}
    web1.make_validated("alice", "one")
    fleet.sync()
    for one in (web1, web2):
        one.totp_key(wish)
    fleet.sync()
    assert not any(one.totp_key(wish)["changed"] for one in (web1, web2))
    assert not any(result["changed"] for result in fleet.sync()[1])


def test_check_mode_tells_and_changes_nothing(fleet, web1, web2):
    web1.make_validated("alice", "one")
    fleet.collect("web1")
    told = fleet.distribute("web2", check_mode=True)
    assert web2.state_dir.validated("alice") is None and web2.members == set()
    done = fleet.distribute("web2")
    assert told["changed"] and told == done
    assert done["diff"]["prepared"] == "alice: validated key created, joins mfa-web2, recorded as enforced\n"
    assert secret("one") not in json.dumps(done) and CODES[0] not in json.dumps(done)


def test_a_spent_code_is_spent_everywhere_and_stays_spent(fleet, web1, web2):
    web1.make_validated("alice", "one")
    fleet.sync()
    web2.change("alice", lambda one: one and _without(one, CODES[0]))
    fleet.sync()
    for one in (web1, web2):
        assert sorted(one.state_dir.validated("alice").recovery_codes) == sorted(CODES[1:])
    (kept,) = fleet.store.read()["alice"].keys.values()
    assert kept.codes == frozenset(CODES[1:])


def _without(file, code):
    """The PAM module removes the line of a code that was used; it keeps no record."""
    lines = [line for line in file.render().decode().splitlines() if line != code]
    return type(file).parse("".join(f"{line}\n" for line in lines).encode())


def test_a_code_spent_between_the_two_halves_does_not_come_back(fleet, web1):
    web1.make_validated("alice", "one")
    fleet.collect("web1")
    web1.change("alice", lambda one: one and _without(one, CODES[0]))
    fleet.distribute("web1")
    assert CODES[0] not in web1.state_dir.validated("alice").recovery_codes
    fleet.sync()
    assert CODES[0] not in web1.state_dir.validated("alice").recovery_codes


def test_a_file_without_a_record_of_its_codes_gets_no_more(fleet, web1, web2):
    """As version 0.1.0 wrote it: a code that is missing may have been spent."""
    web1.make_validated("alice", "one", CODES[:2])
    web2.make_validated("alice", "one", CODES)
    for one in (web1, web2):
        one.change("alice", lambda file: file and file.with_meta(codes=None))
    web1.change("alice", lambda file: file and _without(file, CODES[0]))
    fleet.sync()
    fleet.sync()
    assert web1.state_dir.validated("alice").recovery_codes == [CODES[1]]


def test_a_token_used_on_one_host_is_used_on_the_other(fleet, web1, web2):
    web1.make_validated("alice", "one")
    fleet.sync()
    step = int(time.time()) // 30
    web1.change("alice", lambda one: one and _used(one, step))
    fleet.sync()
    there = web2.state_dir.validated("alice")
    assert step in there.used_steps and there.last_login is None, "used, but not by a login on this host"
    (kept,) = fleet.store.read()["alice"].keys.values()
    assert kept.burnt[step] == frozenset(["web1"])


def _used(file, step):
    """The PAM module records the step of a login."""
    if step in file.used_steps:
        return file
    text = file.render().decode().replace('" DISALLOW_REUSE', f'" DISALLOW_REUSE {step}', 1)
    return type(file).parse(text.encode())


def test_the_store_keeps_the_newest_steps(fleet, web1):
    web1.make_validated("alice", "one")
    now = int(time.time()) // 30
    for step in range(now - 30, now):
        web1.change("alice", lambda one, step=step: one and _used(one, step))
    for _time in range(2):
        fleet.collect("web1")
        (kept,) = fleet.store.read()["alice"].keys.values()
        assert sorted(kept.burnt) == list(range(now - STEPS_KEPT, now))


def test_a_token_used_on_both_hosts_is_found(fleet, web1, web2):
    web1.make_validated("alice", "one")
    fleet.sync()
    step = int(time.time()) // 30
    for one in (web1, web2):
        one.change("alice", lambda file: file and _used(file, step))
    assert "token_used_twice" in fleet.sync()[0]


def test_two_validated_keys_the_first_wins_and_the_other_is_dead(fleet, web1, web2):
    web2.make_validated("alice", "two")
    web2.change("alice", lambda one: one and one.with_meta(since=START))
    web1.make_validated("alice", "one")
    findings, _results = fleet.sync()
    assert findings == ["key_displaced"]
    assert web1.has("alice", "two") and web2.has("alice", "two") and web1.members == web2.members == {"alice"}
    assert fleet.sync()[0] == []


def test_a_rotation_on_a_host_replaces_the_key_everywhere(fleet, web1, web2):
    web1.make_validated("alice", "one")
    fleet.sync()
    web1.totp_key({"user": "alice", "secret": secret("two"), "state": "rotated"})
    fleet.sync()
    assert web1.has("alice", "one") and web1.state_dir.pending("alice") is not None, "until it is validated"
    web1.totp_key({"user": "alice", "secret": secret("two"), "state": "validated"})
    fleet.sync()
    assert web1.has("alice", "two") and web2.has("alice", "two")


def test_a_key_validated_between_the_two_halves_stays(fleet, web1, web2):
    web1.make_validated("alice", "one")
    fleet.collect("web1")
    web2.make_validated("alice", "two")
    assert fleet.distribute("web2")["uncollected"] == ["alice"]
    assert web2.has("alice", "two")
    fleet.sync()
    assert web2.has("alice", "one")


def test_a_leaver_is_denied_everywhere(fleet, web1, web2):
    web1.make_validated("alice", "one")
    fleet.collect("web1")
    fleet.store.merge_in({"alice": Person("alice", revoked_through=1), "carol": Person("carol", revoked_through=1)})
    _findings, results = fleet.sync()
    for one, result in zip((web1, web2), results):
        assert one.members == {"alice", "carol"} and not one.has("alice", "one")
        assert {user["user"] for user in result["users"] if user["denied"]} == {"alice", "carol"}
        assert one.state_dir.why_denied("alice") is None, "a file as any other, with a key that nobody has"
        assert one.state_dir.validated("alice").recovery_codes == []
        one.totp_key({"user": "bob"})
    assert not any(result["changed"] for result in fleet.sync()[1])


def test_a_leaver_cannot_be_brought_back_by_a_host(fleet, web1):
    fleet.store.merge_in({"alice": Person("alice", revoked_through=1)})
    fleet.distribute("web1")
    web1.totp_key({"user": "alice", "secret": secret("new"), "state": "validated"})
    assert [one.id for one in fleet.collect("web1")] == ["key_not_collected"]
    fleet.distribute("web1")
    assert not web1.has("alice", "new")


def test_a_new_generation_is_pending_and_the_old_key_dead(fleet, web1):
    web1.make_validated("alice", "one")
    fleet.collect("web1")
    fleet.store.merge_in({"alice": person(key("new", generation=2), revoked_through=1)})
    fleet.distribute("web1")
    assert not web1.has("alice", "one") and web1.members == {"alice"}, "denied until it is validated"
    pending = web1.state_dir.pending("alice")
    assert pending.secret_text == secret("new") and not may_be_shown(pending)
    assert web1.run("totp_key_info", users=["alice"])["users"][0]["pending_origin"] == "store"


def test_pending_keys_of_the_store_are_given_but_enforce_nobody(fleet, web1):
    fleet.store.merge_in({"alice": person(key("new"))})
    fleet.distribute("web1")
    assert web1.state_dir.pending("alice").secret_text == secret("new") and web1.members == set()
    assert fleet.collect("web1") == [] and fleet.store.read() == {"alice": person(key("new"))}


def test_users_by_name_and_by_group_and_the_exempt_ones(fleet, host, web1):
    host.accounts.add_group("admins", ["bob", "carol"])
    seal = new_seal()
    options = {"human_accounts": False, "users": ["alice", "%admins", "nobody-here"], "exempt_users": ["carol"]}
    assert web1.run("totp_key_collect", seal=seal, **options)["accounts"] == ["alice", "bob"]
    assert web1.run("totp_key_collect", seal=seal, human_accounts=True)["accounts"] == ["alice", "bob", "carol"]
    assert web1.run("totp_key_collect", seal=seal, users=["%bob"])["accounts"] == ["bob"], "a primary group"


def test_an_unusable_key_is_named(fleet, web1):
    web1.make_validated("alice", "one")
    path = f"{web1.state_dir.path}/keys/alice"
    with open(path, "a") as file:  # noqa: PTH123
        file.write('" HOTP_COUNTER 1\n')
    found = web1.run("totp_key_collect", seal=new_seal(), human_accounts=True)
    assert list(found["unusable"]) == ["alice"]


def test_a_host_that_claims_too_much_is_not_believed(fleet, web1):
    web1.make_validated("alice", "one")
    fleet.sync()
    web1.make_validated("alice", "two")
    web1.change("alice", lambda one: one and one.with_meta(generation=7))
    assert [one.id for one in fleet.collect("web1")] == ["key_not_collected"]


def test_nothing_is_changed_if_one_record_is_wrong(fleet, web1):
    fleet.store.merge_in({"bob": person(key("b", validated=Proven(START, "web2"), issuer="a:b"), user="bob")})
    fleet.store.merge_in({"alice": person(key("one", validated=Proven(START, "web2")))})
    told = fleet.distribute("web1", ok=False)["msg"]
    assert "user 'bob'" in told and "issuer or account" in told and "nothing was changed" in told
    assert not web1.state_dir.users()


def test_many_people_in_one_call(fleet, host, web1):
    names = [f"user{number}" for number in range(400)]
    host.accounts.add(*names)
    fleet.store.merge_in({name: person(key(name, validated=Proven(START, "web2")), user=name) for name in names})
    assert fleet.distribute("web1")["changed"] and web1.members == set(names)
    assert not fleet.distribute("web1")["changed"]


SECOND = {"user": "alice", "device": "tablet", "secret": secret("tablet"), "state": "validated"}


@pytest.mark.parametrize("recovered", [False, True])
def test_revoking_a_person_ends_the_second_device_too(fleet, web1, recovered):
    web1.make_validated("alice", "one")
    web1.totp_key(SECOND)
    fleet.collect("web1")
    after = person(key("new", generation=2), revoked_through=1) if recovered else Person("alice", revoked_through=1)
    fleet.store.merge_in({"alice": after})
    diff = fleet.distribute("web1")["diff"]["prepared"]
    assert "second key removed, since the keys were revoked" in diff
    assert not SecondKeys(web1.state_dir).has_any("alice") and web1.members == {"alice"}
    assert not fleet.distribute("web1")["changed"]


def test_a_promoted_device_is_the_persons_key_everywhere_and_the_lost_one_dead(fleet, web1, web2):
    for one in (web1, web2):
        one.make_validated("alice", "one")
        one.totp_key(SECOND)
    fleet.sync()
    web1.totp_key({"user": "alice", "device": "tablet", "state": "promoted"})
    fleet.sync()
    for one in (web1, web2):
        assert one.has("alice", "tablet") and not SecondKeys(one.state_dir).has_any("alice")
    assert not any(result["changed"] for result in fleet.sync()[1])


def test_a_prompt_that_is_open_does_not_take_a_step_burnt_meanwhile(fleet):
    """Its login has read the key as it was; the guard refuses the token, since the step is claimed."""
    step = int(time.time()) // 30
    fleet.hosts["web1"].make_validated("alice", "a")
    fleet.sync()
    fleet.hosts["web1"].change("alice", lambda one: one and _used(one, step))
    fleet.sync()
    assert not fleet.hosts["web2"].state_dir.claim_step("alice", step)
    assert fleet.hosts["web2"].state_dir.claim_step("alice", step + 1)


def test_the_host_on_which_a_key_was_validated_stays_on_record(fleet, web1, web2):
    """web1, whose name comes first, is given the key, and does not become the one that it was validated on."""
    web2.make_validated("alice", "a")
    fleet.sync()
    before = fleet.store.read()
    fleet.sync()
    assert fleet.store.read() == before
    assert [key.validated.host for key in before["alice"].keys.values()] == ["web2"]


def test_members_of_a_killed_run_are_not_taken_for_members(fleet, monkeypatch):
    """Its timer would take them out after a run that changed nothing."""
    monkeypatch.setattr(systemd, "is_running", lambda: False)
    host = fleet.hosts["web2"]
    fleet.hosts["web1"].make_validated("alice", "a")
    fleet.collect("web1")
    host.run("totp_key", keys=[], other_members="report", unknown_first_factor="accept")
    killed = fleet.distribute("web2", _connection={"uid": 4242, "logs_in": True})
    assert killed["joining"] == ["alice"] and host.members == {"alice"}
    healed = fleet.distribute("web2")
    assert healed["changed"] and host.members == {"alice"} and not Rollout(host.state_dir.path).waits
    assert not fleet.distribute("web2")["changed"]
