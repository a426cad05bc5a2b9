# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A directory may know an account by any spelling. All of them share one key, one record and one limit."""

from __future__ import annotations

import os

import pytest

ROUNDS = int(os.environ.get("GUARD_ROUNDS", "3"))
CODES = ["12345678", "23456789"]
SPELLINGS = ("alice", "ALICE", "Alice")


def files_in(host, folder) -> list[str]:
    return sorted(path.name for path in (host.folder / folder).iterdir() if not path.name.startswith("."))


@pytest.mark.parametrize("name", SPELLINGS)
def test_every_spelling_is_asked_and_gets_in(host, name):
    assert not host.answer("000000", name=name)
    assert host.answer(host.token(), name=name)
    assert str(host.step) in host.key_path.read_text()
    assert not host.key_path.is_symlink()
    assert files_in(host, "keys") == ["alice"]
    assert files_in(host, "guard") == ["alice"]


@pytest.mark.parametrize("first, second", [("alice", "ALICE"), ("ALICE", "alice"), ("ALICE", "Alice")])
def test_a_token_or_code_counts_once_over_all_spellings(host, first, second):
    host.write_key(codes=CODES)
    assert host.answer(host.token(), name=first)
    assert not host.answer(host.token(), name=second)
    assert host.answer(CODES[0], name=second)
    assert not host.answer(CODES[0], name=first)
    assert CODES[0] not in host.key_path.read_text()
    assert CODES[1] in host.key_path.read_text()


def test_one_token_on_many_connections_lets_one_in_at_most(host):
    for _round in range(ROUNDS):
        host.secret = os.urandom(20)
        host.write_key()
        logins = host.asked(9, names=SPELLINGS)
        for login in logins:
            login.answer(host.token())
        assert [login.succeeds() for login in logins].count(True) <= 1
        assert sum(host.answer(host.token(), name=name) for name in SPELLINGS) <= 1


def test_the_limit_counts_all_spellings(host):
    host.write_key(rate_limit="3 3600")
    assert len(host.asked(6, names=SPELLINGS)) == 3


def test_a_login_in_between_is_not_undone(host):
    """Bob's own login with one token; the one under another spelling, begun before it, would write the older file back."""
    host.write_key(codes=CODES)
    spelled, own = host.login(name="ALICE"), host.login()
    assert spelled.has_prompt() and own.has_prompt()
    own.answer(CODES[0])
    assert own.succeeds()
    spelled.answer(host.token())
    assert not spelled.succeeds()
    assert CODES[0] not in host.key_path.read_text()


def test_a_wrong_token_leaves_one_copy_at_most(host):
    for name in ("ALICE", "Alice", "aLICE"):
        assert not host.answer("000000", name=name)
    assert files_in(host, "keys") == ["aLICE", "alice"]
    assert host.answer(host.token())
    assert files_in(host, "keys") == ["alice"]


def test_a_copy_left_behind_lets_nobody_in(host):
    """It holds the key as it was: codes spent since, and a key replaced since, must not come back with it."""
    host.write_key(codes=CODES)
    assert not host.answer("000000", name="ALICE")
    copy = host.folder / "keys" / "ALICE"
    assert copy.exists() and not copy.is_symlink()
    before = copy.read_bytes()
    assert host.answer(CODES[0])
    copy.write_bytes(before)
    copy.chmod(0o400)
    assert not host.answer(CODES[0], name="ALICE")
    host.secret = os.urandom(20)
    host.write_key()
    copy.write_bytes(before)
    assert not host.answer(CODES[1], name="ALICE")


@pytest.mark.parametrize("answer", ["exit 2", "exit 127", "printf ''", "echo ../../etc/passwd:x:1:1", "echo .x:x:1:1"])
def test_a_directory_that_does_not_answer_lets_nobody_in(host, answer):
    host.write_directory(answer)
    for name in SPELLINGS:
        login = host.login(name=name)
        assert not login.has_prompt()
        assert not login.succeeds()


def test_a_name_of_digits_is_not_taken_for_a_user_id(host):
    """`getent passwd 20001` would answer with alice."""
    login = host.login(name="20001")
    assert not login.has_prompt()
    assert files_in(host, "guard") == []


@pytest.mark.parametrize("name", SPELLINGS)
@pytest.mark.parametrize("uid, asked", [(20001, True), (20002, False), (2000, False), (200010, False)])
def test_the_key_of_another_user_id_lets_nobody_in(host, name, uid, asked):
    """The directory says 20001. The name was another account's before."""
    host.write_key()
    text = host.key_path.read_text() + f'" FLEETMFA {{"issuer": "\\"uid\\": 7", "uid": {uid}}}\n'
    host.key_path.write_text(text)
    login = host.login(name=name)
    assert login.has_prompt() == asked
    if asked:
        login.answer(host.token())
    assert login.succeeds() == asked


@pytest.mark.parametrize("changed", [False, True])
def test_a_key_that_changed_since_the_module_read_it_is_not_written_over(host, changed):
    """The moment between the module's writing and ours, which the module cannot look at any more."""
    assert host.run("attempt", PAM_USER="ALICE").returncode == 0
    written = host.folder / "keys" / "ALICE"
    text = host.key_path.read_text().replace('" DISALLOW_REUSE', f'" DISALLOW_REUSE {host.step}')
    written.unlink()
    written.write_text(text)
    if changed:
        host.write_key_without_forgetting(codes=CODES)
    now = host.key_path.read_text()
    assert (host.run("claim", PAM_USER="ALICE").returncode != 0) == changed
    assert host.key_path.read_text() == (now if changed else text)
    assert files_in(host, "keys") == ["alice"]
