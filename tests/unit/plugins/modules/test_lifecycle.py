# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Devices lost, people who leave, keys that are too old: what hosts do after a decision, and what an attacker gets."""

from __future__ import annotations

import datetime
import time
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.origin import may_be_shown
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store import lifecycle
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.person import PersonKey
from ansible_collections.fleetmfa.ssh.tests.support.fleet_with_store import DAY, NOW, Decisions
from ansible_collections.fleetmfa.ssh.tests.support.people import CODES, START, secret


@pytest.fixture
def fleet(host, tmp_path):
    made = Decisions(host, tmp_path)
    made.hosts["web1"].make_validated("alice", "one")
    made.sync()
    return made


def released(host, user="alice"):
    return user not in host.members and host.state_dir.validated(user) is None


def locked(host, user="alice"):
    key = host.state_dir.validated(user)
    return user in host.members and key is not None and bool(key.meta.get("locked")) and not key.recovery_codes


def test_a_leaver_is_denied_at_once_and_twice_is_once(fleet, web1, web2):
    assert fleet.revoke() == ["alice"] and fleet.revoke() == []
    fleet.distribute("web1")
    assert locked(web1) and web1.state_dir.pending("alice") is None
    assert web2.has("alice", "one"), "not reached yet"
    fleet.sync()
    assert locked(web2)
    assert [event.reason for event in fleet.alice.history if event.what == "all keys revoked"] == ["lost phone"]


def test_a_leaver_whose_host_was_ahead_of_the_store(fleet, web1):
    """Not even the key that replaced the one that the store knows of."""
    web1.totp_key({"user": "alice", "secret": secret("two"), "state": "rotated"})
    web1.totp_key({"user": "alice", "secret": secret("two"), "state": "validated"})
    fleet.revoke()
    assert [one.id for one in fleet.collect("web1")] == ["key_not_collected"]
    fleet.distribute("web1")
    assert locked(web1)


def test_a_new_key_denies_until_it_is_validated(fleet, web1, web2):
    fleet.new_key()
    for name, one in fleet.hosts.items():
        fleet.distribute(name)
        assert locked(one) and one.state_dir.pending("alice").secret_text == secret("new")
    fleet.validate("web1")
    assert web1.has("alice", "new") and web1.members == {"alice"}
    fleet.sync()
    assert web2.has("alice", "new") and web2.state_dir.pending("alice") is None
    assert sorted(web2.state_dir.validated("alice").recovery_codes) == ["44444444"], "and none of the old codes"
    assert not any(result["changed"] for result in fleet.sync()[1])


def test_denied_on_a_host_that_the_person_was_never_on(fleet, host, web2, tmp_path):
    fleet.new_key()
    web2.run("totp_key", keys=[{"user": "alice", "state": "absent"}], unknown_first_factor="accept")
    assert web2.members == set()
    fleet.distribute("web2")
    assert locked(web2)


def test_not_asked_until_a_date(fleet, web1, web2):
    until = NOW + 3 * DAY
    fleet.new_key(until=until)
    result = fleet.distribute("web1")
    assert released(web1) and "leaves mfa-web1" in result["diff"]["prepared"]
    pending = web1.state_dir.pending("alice")
    assert pending.secret_text == secret("new") and not may_be_shown(pending)
    assert pending.deadline == datetime.date.fromtimestamp(until)
    assert not fleet.distribute("web1")["changed"]
    assert not web1.totp_key({"user": "alice"})["changed"], "site does not undo it"
    fleet.distribute("web2")
    fleet.validate("web1")
    assert web1.has("alice", "new") and web1.members == {"alice"}
    fleet.distribute("web1")
    assert web1.has("alice", "new") and web1.members == {"alice"}, "not released again before it is collected"
    assert web1.state_dir.pending("alice") is None, "nor given once more"
    fleet.sync()
    assert web2.has("alice", "new") and web2.members == {"alice"} and web2.state_dir.validated("alice").deadline is None


def test_after_the_date_nobody_is_released_any_more(fleet, web1, web2):
    fleet.new_key(until=NOW - 1)
    fleet.distribute("web2")
    assert locked(web2), "a host that was away all the time"
    found = list(lifecycle.overdue_recoveries(fleet.store.read().values(), time.time()))
    assert [one.id for one in found] == ["recovery_overdue"]


def test_the_later_decision_about_access_counts(fleet, web1):
    fleet.new_key(until=NOW + DAY)
    fleet.distribute("web1")
    assert released(web1)
    later = lifecycle.By(NOW + 5, "operator@controller", "stolen, not lost")
    key = PersonKey(secret("unused"))
    fleet.store.change(["alice"], lambda person: lifecycle.with_new_key(person, key, 0, False, later))
    fleet.distribute("web1")
    assert locked(web1) and web1.state_dir.pending("alice").secret_text == secret("new"), "the same key"


def test_a_second_run_gives_no_second_key_unless_asked(fleet):
    assert fleet.new_key() == ["alice"] and fleet.new_key("other") == []
    assert fleet.alice.given_in_place.secret == secret("new")
    assert fleet.new_key("other", again=True) == ["alice"]
    assert fleet.alice.given_in_place.secret == secret("other")


def test_a_thief_with_the_old_phone_and_a_host_that_was_away(fleet, web1, web2):
    """It knows nothing of the decision, and its old key is validated there; nothing of it comes back."""
    fleet.new_key()
    fleet.distribute("web1")
    fleet.validate("web1")
    fleet.collect("web1")
    web2.change("alice", lambda one: one and one.with_meta(since=START))  # validated long before the new one
    assert web2.has("alice", "one")
    fleet.sync()
    for one in (web1, web2):
        assert one.has("alice", "new") and not set(one.state_dir.validated("alice").recovery_codes) & set(CODES)
    assert fleet.alice.current.validated.secret == secret("new")


@pytest.mark.parametrize("until", [0, NOW + DAY], ids=["denied", "not asked"])
def test_a_thief_who_rotates_the_old_key_on_a_host_that_was_away(fleet, web1, web2, until):
    """With a token of the old phone a host shows a new key; it is of the generation after the one that the store knew."""
    fleet.new_key(until=until)
    fleet.distribute("web1")
    web2.totp_key({"user": "alice", "secret": secret("thief"), "state": "rotated"})
    web2.totp_key({"user": "alice", "secret": secret("thief"), "state": "validated"})
    web2.change("alice", lambda one: one and one.with_meta(since=START))
    assert [one.id for one in fleet.collect("web2")] == ["key_not_collected"]
    fleet.distribute("web2")
    assert released(web2) if until else locked(web2)
    fleet.validate("web1")
    web2.make_validated("alice", "thief")  # and once more, after the new key was validated
    web2.change("alice", lambda one: one and one.with_meta(since=START, generation=2))
    fleet.sync()
    assert web1.has("alice", "new") and web2.has("alice", "new")


def test_a_host_cannot_put_its_own_key_in_place_of_the_one_given(fleet, web1):
    fleet.new_key()
    fleet.distribute("web1")
    web1.totp_key({"user": "alice", "secret": secret("own"), "state": "validated"})
    web1.change("alice", lambda one: one and one.with_meta(generation=3))
    assert [one.id for one in fleet.collect("web1")] == ["key_not_collected"]
    fleet.distribute("web1")
    assert locked(web1)


def test_a_leaver_who_comes_back(fleet, web1):
    fleet.revoke()
    fleet.sync()
    fleet.new_key()
    fleet.distribute("web1")
    fleet.validate("web1")
    fleet.sync()
    assert web1.has("alice", "new") and not fleet.alice.current.denied


# Help-desk codes


def test_a_help_desk_code_on_every_host_until_it_ends(fleet, web1, web2):
    fleet.code()
    assert fleet.code("88888888") == [], "one is good"
    fleet.sync()
    for one in (web1, web2):
        key = one.state_dir.validated("alice")
        assert sorted(key.recovery_codes) == sorted([*CODES, "77777777"])
        assert key.has_expired("77777777", NOW + 3600) and not key.has_expired("77777777", NOW)
        assert not key.has_expired(CODES[0], NOW + 3600)
    assert not any(result["changed"] for result in fleet.sync()[1])


def test_a_code_that_has_ended_is_taken_away_and_stays_away(fleet, web1, web2):
    fleet.code()
    fleet.sync()
    fleet.store.change(["alice"], _hours_later)
    for _time in range(2):  # the second time, the host tells the store that it has used the code
        fleet.sync()
        for one in (web1, web2):
            assert sorted(one.state_dir.validated("alice").recovery_codes) == sorted(CODES)
    assert fleet.code("88888888") == ["alice"]


def _hours_later(person):
    key = person.current.validated
    return person.with_key(replace(key, expiring=dict.fromkeys(key.expiring, NOW - 1)))


def test_no_code_without_a_key(fleet):
    fleet.new_key()
    assert fleet.code() == []


# Rotation


def test_a_key_that_is_too_old_is_replaced_in_stages(fleet, web1, web2):
    assert fleet.rotate(days=0) == [] and fleet.rotate(days=30) == []
    assert fleet.rotate() == ["alice"] and fleet.rotate() == []
    fleet.sync()
    for one in (web1, web2):
        assert one.has("alice", "one") and one.members == {"alice"}, "the old one counts"
        pending = one.state_dir.pending("alice")
        assert pending.generation == 2 and may_be_shown(pending) and pending.uid == one.state_dir.validated("alice").uid
    assert not any(result["changed"] for result in fleet.sync()[1])
    new = web2.state_dir.pending("alice").secret_text
    fleet.validate("web2")
    fleet.sync()
    for one in (web1, web2):
        assert one.state_dir.validated("alice").secret_text == new and one.state_dir.pending("alice") is None
    assert not fleet.alice.is_to_be_rotated
    assert [event.what for event in fleet.alice.history if "replaced" in event.what]


def test_recovery_during_a_rotation(fleet, web1, web2):
    """The keys that hosts made for the rotation are dead, too: the old phone was enough to see one."""
    fleet.rotate()
    fleet.sync()
    fleet.new_key()
    fleet.distribute("web1")
    assert web1.state_dir.pending("alice").secret_text == secret("new")
    fleet.validate("web2")
    fleet.sync()
    assert locked(web1) and locked(web2)
    fleet.validate("web1")
    fleet.sync()
    assert web1.has("alice", "new") and web2.has("alice", "new")


# The loser of two keys


def test_the_loser_of_two_validated_keys_is_to_be_told(fleet, web1, web2):
    for name, one in (("mine", web1), ("other", web2)):
        one.totp_key({"user": "bob", "secret": secret(name), "state": "validated"})
    web1.change("bob", lambda key: key and key.with_meta(since=START))
    fleet.sync()
    assert web2.has("bob", "mine") and web2.state_dir.validated("bob").displaced == "web1"
    assert web1.state_dir.validated("bob").displaced is None and web2.state_dir.validated("alice").displaced is None
    assert not any(result["changed"] for result in fleet.sync()[1]), "and it stays until the user is told"


# Locked out by too many attempts


def test_unlock(fleet, web1, host):
    web1.change("alice", _limited)
    guard = Path(web1.state_dir.path, "guard/alice")
    guard.write_text(
        f"open 1 5\nover 2 6\nlent Alice\nlocked x 5 0\nwrong 12 2\nremembered {'a' * 64} x 5 6 b x 5 6\nclaimed 59\n"
    )
    options = {"users": ["alice", "nobody-here"], "state_dir": web1.state_dir.path}
    told = host._run_module("totp_unlock", check_mode=True, **options)
    assert told["changed"] and web1.state_dir.attempts("alice") == 6
    done = host._run_module("totp_unlock", **options)
    alice = {"user": "alice", "attempts": 6, "wrong_tokens": 12, "locked": True, "remembered": 2, "changed": True}
    assert done["users"] == told["users"] == [alice]
    assert guard.read_text() == "lent Alice\nclaimed 59\n"
    key = web1.state_dir.validated("alice")
    assert key.rate_limit == (3, 30) and not key.attempts and "tries" not in key.meta
    assert not host._run_module("totp_unlock", **options)["changed"]


def test_unlock_only_what_is_remembered(web1, host):
    guard = Path(web1.state_dir.path, "guard/alice")
    guard.write_text(f"open 1 5\nwrong 12 2\nremembered {'a' * 64} x 5 6\nclaimed 59\n")
    options = {"users": ["alice"], "state_dir": web1.state_dir.path, "only_remembered": True}
    assert host._run_module("totp_unlock", check_mode=True, **options)["changed"] and "remembered" in guard.read_text()
    done = host._run_module("totp_unlock", **options)
    assert done["changed"] and done["users"][0]["remembered"] == 1
    assert guard.read_text() == "open 1 5\nwrong 12 2\nclaimed 59\n"
    assert not host._run_module("totp_unlock", **options)["changed"]


def _limited(key):
    """As the PAM module writes it after three attempts, with a wrong token in mfa-enroll."""
    if key is None or key.attempts:
        return key
    stamps = f"RATE_LIMIT 3 30 {NOW} {NOW} {NOW}"
    return type(key).parse(key.render().decode().replace("RATE_LIMIT 3 30", stamps).encode()).with_meta(tries=[NOW])
