# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A thief with one factor of a user at the door of a host, in every state of the user's keys: the table in
docs/enrollment_security.md, line by line. SECRET is the key that may be enforced on another host."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.protocol import REQUESTS
from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.root import audit, desk
from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.root.desk import Desk
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys import origin as keys_origin
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.key_file import KeyFile, KeySettings
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.state_dir import StateDir
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.totp import decode_secret, step_at, token_at
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import EnforcedGroup
from ansible_collections.fleetmfa.ssh.tests.support.enrollment_host import CODES, SECRET, pending_key, policy, provision

NOW = 1_800_000_015.0  # in the middle of a step
OTHER = "KRUGKIDROVUWG2ZAKRUGKIDROVUWG2ZA"  # the validated key where SECRET is to replace it
DOC = Path(__file__).resolve().parents[6] / "docs" / "enrollment_security.md"
GUESSES = {
    "new_key": {"token": "000000"},
    "first": {"token": "000000"},
    "validate": {"first": "000000", "second": "000001"},
    "recovery_codes": {"token": "000000"},
}


def table():
    """State of the keys -> what the door answers to `key`, and to the guesses."""
    rows = {}
    for line in (
        DOC.read_text(encoding="utf-8").split("| state of the user's keys |")[1].split("\n\n")[0].splitlines()[2:]
    ):
        state, key, guesses, _login = (cell.strip() for cell in line.strip("|").split("|"))
        rows[state] = (key.strip("`"), re.findall(r"`(\w+)`", guesses))
    return rows


def origins():
    """What is recorded in the pending key, by the words of the table."""
    return {
        "made by this host": keys_origin.made_here(),
        "given by the operator": keys_origin.given_by_operator(),
        "of 0.1.0": {},
        "made by another machine": {**keys_origin.made_here(), "machine": "0123456789abcdef"},
        "from the fleet's store": {"origin": "store"},
        "validated before": {**keys_origin.made_here(), "was_validated": True},
    }


@pytest.fixture
def log(monkeypatch):
    lines = []
    monkeypatch.setattr(audit.syslog, "syslog", lambda _priority, line: lines.append(line))
    return lines


@pytest.fixture
def host(accounts, log):
    accounts.add_group("mfa-enforced")
    accounts.add_group("mfa-overdue")


class Victim:
    """Alice, in a state that the table has."""

    def __init__(self, tmp_path, words: str):
        self.words = words
        self._settings = {"exempt_users": ["alice"]} if "exempt" in words else {}
        if "overdue" in words:
            self._settings["enrollment_overdue"] = "enroll_only"
        self._tmp_path = tmp_path
        self.state = StateDir(str(tmp_path / "state"))
        since = NOW - (30 if "overdue" in words else 1) * 86400
        if "pending" in words or "new one" in words:
            (origin,) = (record for name, record in origins().items() if name in words)
            provision(tmp_path, "alice", since=since, origin=origin)
        if words.startswith("enforced, key file lost"):
            EnforcedGroup().update(join=["alice"])
        if words.startswith("validated"):
            self._validate(OTHER if "new one" in words else SECRET)

    def _validate(self, secret):
        key = KeyFile.create(secret, KeySettings(), "SSH", "alice", CODES, NOW - 86400)
        with self.state.lock():
            self.state.prepare()
            self.state.converge_validated("alice", lambda _current: key)
        EnforcedGroup().update(join=[] if "exempt" in self.words else ["alice"])

    def ask(self, request, **values):
        return Desk(policy(self._tmp_path, **self._settings), "alice", NOW).answer({"request": request, **values})

    def files(self):
        return {
            path.name + "/" + key.name: KeyFile.parse(key.read_bytes()).secret_text
            for path in (Path(self.state.path, "keys"), Path(self.state.path, "pending"))
            for key in (path.iterdir() if path.exists() else [])
        }


def test_the_table_has_every_request_and_every_origin():
    states = " ".join(table())
    # `seen` says and changes nothing of a key, and after `forget` more logins are asked.
    assert set(GUESSES) | {"status", "ready", "key", "seen", "forget"} == set(REQUESTS)
    assert all(words in states for words in [*origins(), "exempt", "overdue", "new one"])


@pytest.mark.parametrize("words", table())
def test_what_one_factor_gets(words, tmp_path, host, log):
    victim = Victim(tmp_path, words)
    key, guesses = table()[words]
    before = victim.files()
    answers = {request: victim.ask(request, **values) for request, values in GUESSES.items()}
    assert [answer["refused"] for answer in answers.values()] == guesses
    assert victim.files() == before and EnforcedGroup().members == ({"alice"} if _is_enforced(words) else set())
    answers["key"], answers["status"] = victim.ask("key"), victim.ask("status")

    if key == "shown":
        assert answers["key"]["secret"] == SECRET and "user alice: pending key shown" in log
    elif key.startswith("made and shown"):
        assert answers["key"]["secret"] == victim.files()["pending/alice"] != SECRET
    else:
        assert answers["key"] == {"refused": key, "seconds": 0} and f"user alice: key not shown ({key})" in log
        assert victim.files() == before
    if key != "shown":
        assert SECRET not in json.dumps(answers)
    assert OTHER not in json.dumps(answers) and not any(code in json.dumps(answers) for code in CODES)
    assert not any(secret in line for secret in (SECRET, OTHER, *CODES) for line in log)


def _is_enforced(words):
    return words.startswith(("validated", "enforced")) and "exempt" not in words


@pytest.mark.parametrize("words", [words for words in table() if "pending" in words and "exempt" not in words])
def test_whoever_holds_the_key_still_validates_it(words, tmp_path, host):
    """With a sheet or with an app that has it, also a key of 0.1.0 while nobody has asked the door for one."""
    victim = Victim(tmp_path, words)
    at = step_at(NOW)
    tokens = [token_at(decode_secret(SECRET), step) for step in (at - 1, at)]
    assert victim.ask("first", token=tokens[0]) == {}
    assert victim.ask("validate", first=tokens[0], second=tokens[1])["enforced"]
    with victim.state.lock():  # the worst that can be done to it now: pending again, by hand
        victim.state.save_pending("alice", victim.state.validated("alice"))
        victim.state.converge_validated("alice", lambda _current: None)
    assert victim.ask("key")["refused"] == "key_given"


def test_a_key_made_in_place_of_another_gives_nobody_more_time(tmp_path, host, log):
    victim = Victim(tmp_path, "pending, of 0.1.0, overdue")
    since = victim.state.pending("alice").since
    assert victim.ask("status")["overdue"]
    made = victim.ask("key")
    assert victim.ask("key") == made
    assert victim.state.pending("alice").since == since and victim.ask("status")["overdue"]
    assert "user alice: pending key of unknown origin replaced by one generated here" in log


@pytest.mark.parametrize("words", ["pending, made by this host", "pending, given by the operator", "validated"])
def test_a_login_does_not_list_all_accounts_of_a_directory(words, tmp_path, host, monkeypatch):
    """Every login asks for the status; who has a key needs no look at who may have one."""
    victim = Victim(tmp_path, words)
    monkeypatch.setattr(desk, "human_accounts", lambda: pytest.fail("all accounts were listed"))
    assert victim.ask("status")["user"] == "alice"


class TestNewKeyBesideAValidatedOne:
    """Shown for what a login would take, and each of that once."""

    @pytest.fixture
    def victim(self, tmp_path, host):
        return Victim(tmp_path, "validated, new one made by this host")

    def test_for_a_token(self, victim):
        token = token_at(decode_secret(OTHER), step_at(NOW))
        assert victim.ask("new_key", token=token)["secret"] == SECRET
        assert victim.ask("new_key", token=token)["refused"] == "already_used"
        assert victim.ask("recovery_codes", token=token)["refused"] == "already_used"
        assert step_at(NOW) in victim.state.validated("alice").used_steps

    def test_for_a_token_that_no_login_has_claimed(self, victim):
        Path(victim.state.path, "guard", "alice").write_text(f"claimed {step_at(NOW)}\n")
        token = token_at(decode_secret(OTHER), step_at(NOW))
        assert victim.ask("new_key", token=token)["refused"] == "already_used"

    def test_for_a_recovery_code(self, victim):
        assert victim.ask("new_key", token=f"{CODES[0][:4]} {CODES[0][4:]}")["secret"] == SECRET
        assert victim.state.validated("alice").recovery_codes == CODES[1:]
        assert victim.ask("new_key", token=CODES[0])["refused"] == "wrong"

    def test_not_for_a_code_that_a_login_spends_at_the_same_moment(self, victim, monkeypatch):
        converge = StateDir.converge_validated

        def after_a_login(state, user, change):
            converge(state, user, lambda key: key.with_recovery_codes(CODES[1:]))
            converge(state, user, change)

        monkeypatch.setattr(StateDir, "converge_validated", after_a_login)
        assert victim.ask("new_key", token=CODES[0])["refused"] == "already_used"

    def test_not_for_the_tokens_of_the_new_key_itself(self, victim):
        assert victim.ask("new_key", token=token_at(decode_secret(SECRET), step_at(NOW)))["refused"] == "wrong"

    @pytest.mark.parametrize("guess", ["000000", "99999999"])
    def test_guesses_are_limited(self, victim, guess):
        for _try in range(5):
            assert victim.ask("new_key", token=guess)["refused"] == "wrong"
        assert victim.ask("new_key", token=CODES[0])["refused"] == "too_many_tries"
        assert victim.ask("recovery_codes", token=guess[:6])["refused"] == "too_many_tries"

    def test_one_of_0_1_0_is_replaced(self, tmp_path, host):
        victim = Victim(tmp_path, "validated, new one of 0.1.0")
        made = victim.ask("new_key", token=CODES[0])
        assert made["secret"] == victim.files()["pending/alice"]
        assert made["secret"] not in (SECRET, OTHER)


class TestMachine:
    """`made by this host` is about the machine, not about the file."""

    def test_a_copied_disk(self, tmp_path, host):
        Victim(tmp_path, "pending, made by this host")
        Path("/etc/machine-id").write_text("f" * 32 + "\n")
        assert keys_origin.is_of_unknown_origin(StateDir(str(tmp_path / "state")).pending("alice"))

    @pytest.mark.parametrize("content", [None, "", "uninitialized\n", "\xe9" * 32])
    def test_an_image_without_an_id(self, host, content):
        """Keys made in it would be on all machines that are made of it."""
        Path("/etc/machine-id").unlink()
        if content is not None:
            Path("/etc/machine-id").write_text(content)
        key = pending_key("alice", NOW)
        assert not keys_origin.may_be_shown(key) and keys_origin.is_of_unknown_origin(key)
