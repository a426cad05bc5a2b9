# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors

from __future__ import annotations

import time

import pytest
from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fleetmfa.ssh.tests.support.work import calls_made

OLD, NEW = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", "KRUGKIDROVUWG2ZAKRUGKIDROVUWG2ZA"


@pytest.fixture
def tokens(host):
    """tokens(secret=OLD, first=-1, second=0) -> two tokens around now, never at the very end of a step."""

    def make(secret=OLD, first=-1, second=0):
        while time.time() % 30 > 28:
            time.sleep(0.2)
        now = time.time()
        return [host.token(secret, now, first), host.token(secret, now, second)]

    return make


def validate(host, *validations, **options):
    return host.run(
        "totp_validate", validations=[{"user": user, "tokens": two} for user, two in validations], **options
    )


def test_two_tokens_validate_and_enforce(host, tokens, pam_login):
    host.totp_key({"user": "alice", "secret": OLD}, rate_limit_attempts=100)
    two = tokens()
    result = validate(host, ("alice", two), diff=True)
    assert result["users"] == [
        {"user": "alice", "validated": True, "changed": True, "enforced": True, "exempt": False, "drift_seconds": 0}
    ]
    assert result["diff"]["prepared"] == "alice: pending key validated, joins mfa-enforced\n"
    assert (host.keys("alice"), host.members()) == ("v", {"alice"})
    for token in two:
        assert not pam_login("alice", token)
    assert pam_login("alice", tokens(first=0, second=1)[1])


def test_again_changes_nothing_and_checks_nothing(host, tokens):
    host.totp_key({"user": "alice", "secret": OLD})
    two = tokens()
    validate(host, ("alice", two))
    before = host.snapshot()
    for again in (two, ["000000", "111111"]):
        result = validate(host, ("alice", again))
        assert (result["changed"], result["users"][0]["validated"]) == (False, True)
    assert host.snapshot() == before


def test_exempt_is_validated_and_not_enforced(host, tokens):
    host.totp_key({"user": "alice", "secret": OLD})
    result = validate(host, ("alice", tokens()), exempt_users=["alice"])
    assert (result["users"][0]["validated"], result["users"][0]["enforced"]) == (True, False)
    assert (host.keys("alice"), host.members()) == ("v", set())


def test_some_fail_and_those_that_succeed_stay(host, tokens):
    host.totp_key({"user": "alice", "secret": OLD}, {"user": "bob", "secret": NEW})
    result = validate(host, ("alice", tokens()), ("bob", tokens()), ("carol", tokens()), ("ghost", tokens()))
    assert result["failed"]
    assert result["changed"]
    assert "3 of 4 validations failed" in result["msg"]
    for said in ("bob: wrong", "carol: no_pending_key", "user 'ghost': error"):
        assert said in result["msg"]
    assert [one.get("reason") for one in result["users"]] == [None, "wrong", "no_pending_key", "error"]
    assert host.members() == {"alice"}


@pytest.mark.parametrize(
    ("two", "reason", "seconds"),
    [
        (lambda make: make(first=0, second=-1), "order", None),
        (lambda make: make(first=0, second=0), "same_step", None),
        (lambda make: make(first=-15, second=0), "too_far_apart", None),
        (lambda make: make(first=9, second=10), "clock_off", ("drift_seconds", range(270, 301))),
        (lambda make: make(first=-10, second=-9), "clock_off", ("drift_seconds", range(-271, -239))),
        (lambda make: ["000000", "0000"], "malformed", None),
        (lambda make: make()[:1], "malformed", None),
        (lambda make: [*make(), "000000"], "malformed", None),
    ],
)
def test_reasons(host, tokens, two, reason, seconds):
    host.totp_key({"user": "alice", "secret": OLD})
    given = two(tokens)
    result = validate(host, ("alice", given))
    assert result["failed"]
    assert result["users"][0]["reason"] == reason
    if seconds:
        assert result["users"][0][seconds[0]] in seconds[1]
    assert (host.keys("alice"), host.members()) == ("p", set())


def test_wrong_tries_are_limited_over_calls(host, tokens):
    host.totp_key({"user": "alice", "secret": OLD})
    for _try in range(5):
        assert validate(host, ("alice", ["000000", "111111"]))["users"][0]["reason"] == "wrong"
    blocked = validate(host, ("alice", tokens()))["users"][0]
    assert blocked["reason"] == "too_many_tries"
    assert 590 < blocked["wait_seconds"] <= 600
    assert validate(host, ("alice", tokens()), check=True)["users"][0]["reason"] == "too_many_tries"
    info = host.run("totp_key_info", users=["alice"])["users"][0]
    assert info["validation_refused_until"]


def test_check_mode_checks_no_token(host, tokens):
    host.totp_key({"user": "alice", "secret": OLD})
    before = host.snapshot()
    right, wrong = tokens(), ["000000", "111111"]
    answers = [validate(host, ("alice", two), check=True, diff=True) for two in (right, wrong)]
    assert answers[0] == answers[1]
    assert answers[0]["changed"]
    assert host.snapshot() == before
    assert validate(host, ("bob", right), check=True)["users"][0]["reason"] == "no_pending_key"
    assert validate(host, ("alice", right[:1] * 2), check=True)["users"][0]["reason"] == "same_step"
    done = validate(host, ("alice", right), diff=True)
    assert done["diff"] == answers[0]["diff"]


def test_rotation_ends_with_the_new_key_alone(host, tokens, pam_login):
    host.totp_key({"user": "alice", "secret": OLD, "state": "validated"}, rate_limit_attempts=100)
    host.totp_key({"user": "alice", "secret": NEW}, rate_limit_attempts=100)
    assert host.keys("alice") == "pv"
    failed = validate(host, ("alice", tokens(OLD)))
    assert failed["users"][0]["reason"] == "wrong"
    assert failed["users"][0]["enforced"]
    assert not validate(host, ("alice", tokens(NEW))).get("failed")
    assert (host.keys("alice"), host.members()) == ("v", {"alice"})
    assert not pam_login("alice", tokens(OLD, 0, 1)[1])
    assert pam_login("alice", tokens(NEW, 0, 1)[1])


def test_a_run_that_was_killed_before_the_group_is_finished_by_the_next(host, tokens):
    host.totp_key({"user": "alice", "secret": OLD})
    two = tokens()
    key = host.state_dir.pending("alice")
    host.state_dir.promote("alice", key.with_burnt([1, 2]))
    assert host.members() == set()
    result = validate(host, ("alice", two))
    assert (result["changed"], host.members()) == (True, {"alice"})


def test_a_user_named_twice_is_refused(host, tokens):
    assert "alice named more than once" in validate(host, ("alice", tokens()), ("alice", tokens()))["msg"]


@pytest.mark.parametrize("user", ["../alice", "", "alice\0", "-x"])
def test_names_that_could_leave_the_folder(host, tokens, user):
    host.accounts.add_group("some")
    result = validate(host, (user, tokens()), exempt_groups=["some"])
    assert result["users"][0]["reason"] == "error"
    assert "cannot be the name" in result["msg"]


def test_100_validations(host, tokens):
    names = [f"user{number}" for number in range(100)]
    host.accounts.add(*names)
    host.totp_key(*({"user": name, "secret": OLD} for name in names))

    def validate_all(some):
        assert validate(host, *((name, tokens()) for name in some))["changed"]

    few = calls_made(lambda: validate_all(names[:10]))
    assert calls_made(lambda: validate_all(names[10:])) < 20 * few
    assert host.members() == set(names)


def test_messages_to_an_operator(host, accounts, monkeypatch):
    accounts.add("ex")
    accounts.add("done")
    tokens, warnings = ["123456", "234567"], []
    # Where Ansible puts them depends on what was imported before.
    monkeypatch.setattr(AnsibleModule, "warn", lambda _module, text: warnings.append(text))
    result = host.run("totp_validate", validations=[{"user": "ex", "tokens": tokens}], exempt_users=["ex"])
    assert result["failed"] and "the user is exempt on this host" in result["msg"] and "provision" not in result["msg"]
    host.totp_key({"user": "done", "secret": "JBSWY3DPEHPK3PXP" * 2, "state": "validated"})
    result = host.run("totp_validate", validations=[{"user": "done", "tokens": tokens}])
    assert not result.get("failed")
    (said,) = warnings
    assert said == "done: the key is already validated, so these tokens were not checked"
