# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Wrong tokens in a row lock a user, whatever is tried; nobody without the first factor can lock anybody."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

KEY = "SSH_AUTH_INFO_0=publickey ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExample"
CODES = ["12345678", "23456789", "34567890"]
WRONG = "000000"
BOOT = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
ANOTHER_BOOT = "00000000-0000-0000-0000-000000000000"


@pytest.fixture
def locking(host):
    """Three wrong tokens lock for half an hour; every login comes after an accepted key."""
    host.first_factor = (KEY,)
    host.write_service(lock_after=3)
    host.write_key(codes=CODES)
    return host


def now():
    """Seconds since boot."""
    return int(float(Path("/proc/uptime").read_text().split()[0]))


def record(host, name):
    """The words of this line of the guard's record."""
    found = [line.split()[1:] for line in host.state.read_text().splitlines() if line.startswith(f"{name} ")]
    return found[0] if found else None


def put(host, *lines):
    host.state.write_text("".join(f"{line}\n" for line in (*lines, "claimed")))


def is_locked(host):
    return not host.login().has_prompt()


def fail(host, times):
    assert not any([host.answer(WRONG) for _time in range(times)])


def test_locked_after_wrong_tokens_without_a_prompt(locking):
    fail(locking, 2)
    assert record(locking, "wrong") == ["2", "2"] and record(locking, "locked") is None
    fail(locking, 1)
    assert record(locking, "wrong") == ["3", "0"] and record(locking, "locked")[::2] == [BOOT, "1800"]
    login = locking.login()
    assert not login.has_prompt() and not login.succeeds()


def test_a_login_starts_the_count_again(locking):
    fail(locking, 2)
    assert locking.answer(locking.token())
    assert record(locking, "wrong") is None
    fail(locking, 2)
    assert locking.answer(CODES[0]), "a recovery code does, too"
    assert record(locking, "wrong") is None


def test_nobody_without_the_first_factor_locks_anybody(locking):
    for said_by_sshd in (
        (),
        ("SSH_AUTH_INFO_0=",),
        ("SSH_AUTH_INFO_0=password",),
        ("SSH_AUTH_INFO_0=none publickey x",),
    ):
        locking.first_factor = said_by_sshd
        fail(locking, 4)
    assert record(locking, "wrong") is None
    assert locking.answer(locking.token())


def test_a_prompt_without_an_answer_is_no_wrong_token(locking):
    for _round in range(4):
        login = locking.login()
        assert login.has_prompt()
        login.hang_up()
    assert record(locking, "wrong") is None and locking.answer(locking.token())


def test_a_login_without_an_attempt_counts_for_nobody(locking):
    """Its record is gone because an operator has unlocked the user, or the line that makes one is lost."""
    put(locking)
    assert locking.run("failed", "3", "1800", SSH_AUTH_INFO_0=KEY.partition("=")[2]).returncode == 1
    assert record(locking, "wrong") is None


def test_prompts_open_at_the_lock_are_no_more_guesses(locking):
    # Without a rate limit the module does not write the file after a wrong answer, so it takes right ones of open prompts.
    locking.write_key(rate_limit=None, codes=CODES)
    logins = locking.asked(30)
    assert len(logins) == 30
    for login in logins[:3]:
        login.answer(WRONG)
        assert not login.succeeds()
    logins[3].answer(locking.token())
    logins[4].answer(CODES[0])
    assert not logins[3].succeeds() and not logins[4].succeeds()


def test_guesses_at_the_same_moment_get_no_further_than_the_limit(locking):
    """Whichever order they end in: who is let in was let in before the lock."""
    for _round in range(int(os.environ.get("GUARD_ROUNDS", "3"))):
        locking.secret = os.urandom(20)
        locking.write_key(rate_limit=None)
        logins = locking.asked(20)
        for number, login in enumerate(logins):
            login.answer(locking.token() if number == 19 else WRONG)
        let_in = [login.succeeds() for login in logins].count(True)
        wrong, since_lock = map(int, record(locking, "wrong"))
        # A login starts the count again. Of 19 wrong tokens all count that come after it, at most 2 came before.
        assert let_in <= 1 and wrong >= (17 if let_in else 19) and since_lock < 3
        assert is_locked(locking)


def test_all_spellings_of_a_name_are_one_count(locking):
    for name in ("alice", "ALICE", "Alice"):
        assert not locking.answer(WRONG, name=name)
    for name in ("alice", "aLICE"):
        assert not locking.login(name=name).has_prompt()


def test_another_users_token_is_a_wrong_one_and_no_success(locking):
    (locking.folder / "keys/bob").write_text(locking.key_path.read_text())
    (locking.folder / "keys/bob").chmod(0o600)
    locking.write_directory("case $3 in bob) id=20002 ;; *) id=20001 ;; esac; echo $3:x:$id:$id::/:/bin/sh")
    locking.secret, theirs = os.urandom(20), locking.token()
    locking.write_key()
    fail(locking, 2)
    assert locking.answer(theirs, name="bob")
    assert record(locking, "wrong") == ["2", "2"]
    assert not locking.answer(theirs)
    assert is_locked(locking) and locking.login(name="bob").has_prompt()


@pytest.mark.parametrize(
    ("boot", "age", "seconds", "locked"),
    [
        (BOOT, 0, 7200, True),
        (BOOT, 60, 7200, True),
        (BOOT, 60, 60, False),
        (BOOT, 60, 0, True),
        (ANOTHER_BOOT, 0, 0, True),
        # The wait begins anew with the reboot, whatever the time since boot was then.
        (ANOTHER_BOOT, 60, 9_999_999, True),
        (ANOTHER_BOOT, 0, 60, False),
        (ANOTHER_BOOT, -9_999_999, 60, False),
        (BOOT, -9_999_999, 9_999_999, True),
        (BOOT, -9_999_999, 60, False),
    ],
)
def test_how_long(locking, boot, age, seconds, locked):
    """By the time since boot: there is no date in the record, so setting the clock changes nothing."""
    assert now() > 120
    put(locking, f"locked {boot} {now() - age} {seconds}", "wrong 3 0")
    assert is_locked(locking) == locked
    if not locked:
        assert record(locking, "locked") is None, "a later reboot must not bring it back"
        assert record(locking, "wrong") == ["3", "0"]


def test_after_the_lock_as_many_again(locking):
    put(locking, f"locked {BOOT} {now() - 100} 60", "wrong 3 0")
    fail(locking, 2)
    assert not is_locked(locking)
    fail(locking, 1)
    assert is_locked(locking) and record(locking, "wrong") == ["6", "0"]


def test_until_unlocked(locking):
    locking.write_service(lock_after=1, lock_seconds=0)
    locking.note_log()
    fail(locking, 1)
    assert is_locked(locking) and record(locking, "locked")[2] == "0"
    assert "locked alice: 1 wrong tokens in a row, until an operator unlocks the user\n" in locking.logged()
    assert "refused alice: locked after 1 wrong tokens in a row\n" in locking.logged()


def test_no_lock_but_the_hundred(locking):
    locking.write_service(lock_after=0)
    locking.note_log()
    put(locking, "wrong 98 98")
    fail(locking, 1)
    assert locking.login().has_prompt() and " locked " not in locking.logged()
    fail(locking, 1)
    told = (
        "-t totp-guard -p authpriv.notice -- locked alice: 100 wrong tokens in a row, until a recovery code is given\n"
    )
    assert told in locking.logged()
    assert not locking.answer(locking.token()) and not locking.answer(locking.token(1))
    assert locking.answer(CODES[0]) and locking.answer(locking.token(-1))


def test_the_hundredth_locks_as_well(locking):
    locking.note_log()
    put(locking, "wrong 99 2")
    fail(locking, 1)
    assert is_locked(locking)
    assert (
        "locked alice: 100 wrong tokens in a row, for 1800 seconds, and until a recovery code is given\n"
        in locking.logged()
    )


def test_guesses_of_recovery_codes_end_at_two_hundred(locking):
    locking.write_service(lock_after=0)
    locking.note_log()
    put(locking, "wrong 199 199")
    fail(locking, 1)
    assert is_locked(locking)
    assert "locked alice: 200 wrong tokens in a row, until an operator unlocks the user\n" in locking.logged()


@pytest.mark.parametrize("first", ["code", "token"])
def test_a_suspended_key_is_not_freed_by_a_token_beside_a_recovery_code(locking, first):
    """The login with the token must not take the code of the other one. One ends before the other answers: in the same millisecond the
    token may take the place of the code, which is then spent (docs/wrong_tokens.md)."""
    put(locking, "wrong 100 0")
    with_code, with_token = locking.asked(2)
    answers = [(with_code, CODES[0]), (with_token, locking.token())]
    for login, answer in answers if first == "code" else reversed(answers):
        login.answer(answer)
        login.succeeds()
    assert with_code.succeeds() or not with_token.succeeds()
    assert not with_token.succeeds()


def test_a_claim_during_the_lock_takes_nothing(locking):
    assert locking.run("attempt").returncode == 0
    locking.write_key_without_forgetting(used=(locking.step,))
    locking.state.write_text(locking.state.read_text() + f"locked {BOOT} {now()} 1800\nwrong 3 0\n")
    assert locking.run("claim").returncode == 1
    assert record(locking, "passed") is None


@pytest.mark.parametrize(
    "line", ["wrong", "wrong x 1", "wrong 1", "wrong 1 -1", "locked", f"locked {BOOT} 1", "locked a b c"]
)
def test_a_record_nobody_can_read_denies(locking, line):
    put(locking, line)
    assert is_locked(locking)


@pytest.mark.parametrize("arguments", [(), ("3",), ("x", "1"), ("3", "-1")])
def test_whatever_the_line_says_it_denies(locking, arguments):
    assert locking.run("attempt").returncode == 0
    assert locking.run("failed", *arguments, SSH_AUTH_INFO_0=KEY.partition("=")[2]).returncode != 0


def test_a_restored_record_counts_from_there(locking):
    fail(locking, 2)
    before = locking.state.read_text()
    fail(locking, 1)
    locking.state.write_text(before)
    fail(locking, 1)
    assert is_locked(locking)
