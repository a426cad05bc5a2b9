# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Who has given a token is not asked again for a while: same SSH key, same address, nothing else. Each other login is asked as ever."""

from __future__ import annotations

import os
import shutil
import time

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.state_dir import StateDir
from ansible_collections.fleetmfa.ssh.tests.support.remembered_logins import (
    ADDRESS,
    ANOTHER_BOOT,
    BOOT,
    CERTIFICATE,
    CODES,
    ELSEWHERE,
    INFO,
    KEY,
    OTHER_KEY,
    SECONDS,
    SHORT,
    WRONG,
    is_asked,
    log_in,
    now,
    put,
    words,
)


def test_the_user_is_told_of_the_last_token(remembering):
    started = int(time.time())
    log_in(remembering)
    remembering.address = ELSEWHERE
    assert not remembering.answer(WRONG)
    remembering.address = ADDRESS
    for _time in range(2):
        assert not is_asked(remembering)
        told = StateDir(str(remembering.folder)).previous_login("alice")
        assert told and started <= told["time"] <= time.time()
        assert (told["wrong_tokens"], told["address"]) == (1, ADDRESS)


def test_one_token_and_then_none(remembering):
    log_in(remembering)
    for _time in range(3):
        assert not is_asked(remembering)
    ((_id, boot, since, date),) = words(remembering)
    assert boot == BOOT and now() - 120 < int(since) <= now() and abs(time.time() - int(date)) < 120


def test_off_by_default_and_then_nothing_is_kept(remembering):
    remembering.write_service()
    log_in(remembering)
    assert is_asked(remembering) and words(remembering) == []


def test_each_login_passes_the_account_check_in_its_own_process_only(remembering):
    remembering.write_program("id", "echo 20001")
    record = remembering.folder / "enforced/20001"
    record.parent.mkdir()
    record.write_text("alice\n")
    log_in(remembering)
    login = remembering.login()
    assert not login.has_prompt() and login.succeeds()
    assert f"passed {login.pid}." in remembering.state.read_text()
    # sshd asks nobody once the drop-in is lost: this process has not run the auth phase.
    assert remembering.run("account", PAM_TYPE="account", PAM_RHOST=ADDRESS).returncode == 1
    asked = {"PAM_SERVICE": "sshd", "PAM_RHOST": ADDRESS, INFO[:-1]: KEY[len(INFO) :]}
    assert remembering.run("remembered", str(SECONDS), **asked).returncode == 0
    assert remembering.run("account", PAM_TYPE="account").returncode == 0


def test_the_time_is_that_of_the_token(remembering):
    """Logins without a token do not prolong it."""
    log_in(remembering)
    ((one, boot, _since, date),) = words(remembering)
    put(remembering, (one, boot, now() - SHORT, date))
    before = words(remembering)
    assert not is_asked(remembering) and words(remembering) == before


@pytest.mark.parametrize(
    ("boot", "age", "days", "asked"),
    [
        (BOOT, 1, 0, False),
        (BOOT, SHORT, 0, True),
        (BOOT, SHORT + 1, 0, True),
        (ANOTHER_BOOT, 0, 0, True),
        (BOOT, -60, 0, True),  # in the future
        # The clock was set forward, or the machine was stored and resumed a day later; it was set back.
        (BOOT, 1, 1, True),
        (BOOT, 1, -1, True),
    ],
)
def test_how_long(remembering, boot, age, days, asked):
    assert now() > SHORT + 1
    log_in(remembering)
    remembering.write_service(remember_seconds=SHORT)
    ((one, _boot, _since, date),) = words(remembering)
    put(remembering, (one, boot, now() - age, int(date) - days * 86400))
    assert is_asked(remembering) == asked


def test_the_clock_set_back_does_not_prolong_it(remembering):
    log_in(remembering)
    remembering.write_service(remember_seconds=SHORT)
    ((one, boot, _since, date),) = words(remembering)
    put(remembering, (one, boot, now() - SHORT, date))
    remembering.write_program("date", f"echo {date}")
    assert is_asked(remembering)


def test_seconds_count_as_they_are_now(remembering):
    log_in(remembering)
    ((one, boot, _since, date),) = words(remembering)
    put(remembering, (one, boot, now() - 100, date))
    for seconds, asked in ((90, True), (1000, False), (43200, False)):
        remembering.write_service(remember_seconds=seconds)
        assert is_asked(remembering) == asked
    remembering.write_service(remember_seconds=0)
    assert is_asked(remembering)


@pytest.mark.parametrize("seconds", ["", "0", "-1", "x", "43201", "99999999999999999999999", "3600;true", "4e3"])
def test_seconds_that_are_none_let_in_nobody(remembering, seconds):
    log_in(remembering)
    line = f"totp-guard remembered {SECONDS}"
    assert any(line in one for one in remembering.lines)
    remembering.write_lines([one.replace(line, f"totp-guard remembered {seconds}") for one in remembering.lines])
    assert is_asked(remembering)


@pytest.mark.parametrize(
    "said_by_sshd",
    [
        (OTHER_KEY,),
        (CERTIFICATE,),
        (INFO,),
        ("X=",),
        (KEY + "\n" + OTHER_KEY[len(INFO) :],),
        (KEY + "\n" + KEY[len(INFO) :],),
        (KEY + "\npassword",),
        (KEY.replace("publickey", "hostbased"),),
        (KEY + " more",),
        (KEY[:-1],),
    ],
)
def test_another_key_is_asked(remembering, said_by_sshd):
    log_in(remembering)
    remembering.first_factor = said_by_sshd
    assert is_asked(remembering)
    remembering.first_factor = (KEY,)
    assert not is_asked(remembering)


@pytest.mark.parametrize(
    "said_by_sshd", [(), (INFO,), (KEY + "\n" + OTHER_KEY[len(INFO) :],), (f"{INFO}password",), (f"{INFO}publickey x",)]
)
def test_not_remembered_without_one_key(remembering, said_by_sshd):
    remembering.first_factor = said_by_sshd
    log_in(remembering)
    assert is_asked(remembering) and words(remembering) == []


def test_the_line_break_that_sshd_writes_after_the_key_is_no_second_line(remembering):
    remembering.first_factor = (KEY + "\n",)
    log_in(remembering)
    assert not is_asked(remembering)


def test_a_certificate_is_remembered_as_that_certificate(remembering):
    remembering.first_factor = (CERTIFICATE,)
    log_in(remembering)
    assert not is_asked(remembering)
    remembering.first_factor = (CERTIFICATE + "renewed",)
    assert is_asked(remembering)


@pytest.mark.parametrize("address", [ELSEWHERE, "192.0.2.7 ", "192.0.2.07", "::ffff:192.0.2.7", "", "host.example.com"])
def test_another_address_is_asked(remembering, address):
    log_in(remembering)
    remembering.address = address
    assert is_asked(remembering)


@pytest.mark.parametrize(
    "address",
    ["", "host.example.com", "1.2.3.4.example.com", "dead.beef.cafe.fade", "1.2.3", "1.2.3.4.5", "a:b", "fe80::1%eth0"],
)
def test_a_name_is_never_remembered(remembering, address):
    """With UseDNS somebody else decides what the name of an address is."""
    remembering.address = address
    log_in(remembering)
    assert is_asked(remembering) and words(remembering) == []


@pytest.mark.parametrize("address", ["2001:db8::7", "::1", "10.0.0.1"])
def test_addresses_of_both_kinds(remembering, address):
    remembering.address = address
    log_in(remembering)
    assert not is_asked(remembering)


def test_another_user_with_the_same_ssh_key_and_even_the_same_totp_key(remembering):
    log_in(remembering)
    remembering.write_directory("case $3 in bob) id=20002 ;; *) id=20001 ;; esac; echo $3:x:$id:$id::/:/bin/sh")
    shutil.copy(remembering.key_path, remembering.key_path.with_name("bob"))
    shutil.copy(remembering.state, remembering.state.with_name("bob"))
    assert is_asked(remembering, name="bob")
    assert not is_asked(remembering)


def test_an_account_of_the_same_name_with_another_user_id(remembering):
    log_in(remembering)
    remembering.write_directory("echo alice:x:20009:20009::/:/bin/sh")
    assert is_asked(remembering)


def test_another_spelling_is_asked_and_not_remembered(remembering):
    log_in(remembering)
    assert is_asked(remembering, name="ALICE")
    remembering.write_key()
    assert remembering.answer(remembering.token(1), name="ALICE")
    assert words(remembering) == [] and is_asked(remembering)


def test_a_recovery_code_is_not_remembered(remembering):
    assert remembering.answer(CODES[0])
    assert is_asked(remembering) and words(remembering) == []


@pytest.mark.parametrize(("status", "asked"), [(0, False), (1, True)])
def test_a_token_that_was_claimed_on_this_host_alone_is_not_remembered(remembering, status, asked):
    """It may have let in somebody on another host."""
    (remembering.folder / "claims.conf").write_text("unreachable = local\n")
    store = remembering.folder / "totp-claim"
    store.write_text(f"#!/bin/sh\nexit {status}\n")
    store.chmod(0o755)
    log_in(remembering)
    assert is_asked(remembering) == asked and bool(words(remembering)) != asked


def test_another_service_is_asked_and_not_remembered(remembering):
    log_in(remembering)
    remembering.service = "guarded"
    remembering.write_service(remember_seconds=SECONDS)
    assert is_asked(remembering)
    before = words(remembering)
    remembering.address = ELSEWHERE
    assert remembering.answer(remembering.token(1)) and words(remembering) == before


def test_wrong_tokens_that_lock_forget_it(remembering):
    remembering.write_service(remember_seconds=SECONDS, lock_after=2)
    log_in(remembering)
    remembering.address = ELSEWHERE
    assert not remembering.answer(WRONG) and words(remembering)
    assert not remembering.answer(WRONG) and words(remembering) == []
    remembering.address = ADDRESS
    login = remembering.login()
    assert not login.has_prompt() and not login.succeeds()


@pytest.mark.parametrize("line", [f"locked {BOOT} 0 0", "wrong 100 0", "wrong 200 0", "wrong x"])
def test_who_is_locked_or_suspended_is_not_let_in(remembering, line):
    log_in(remembering)
    remembering.state.write_text(f"{line}\n" + remembering.state.read_text())
    assert words(remembering)
    login = remembering.login()
    if login.has_prompt():
        login.answer(remembering.token(1))
    assert not login.succeeds()


@pytest.mark.parametrize("meta", ['{"locked": true}', '{"uid": 20002}'])
def test_a_key_that_lets_nobody_in(remembering, meta):
    log_in(remembering)
    text = remembering.key_path.read_text()
    remembering.key_path.write_text(f'{text}" FLEETMFA {meta}\n')
    remembering.key_path.chmod(0o600)
    login = remembering.login()
    assert login.has_prompt() or not login.succeeds()


def test_a_new_totp_key_is_asked_even_if_the_record_stays(remembering):
    log_in(remembering)
    remembering.secret = os.urandom(20)
    remembering.write_key_without_forgetting()
    assert words(remembering) and is_asked(remembering)


@pytest.mark.parametrize("lost", ["key_path", "state"])
def test_without_the_files_everybody_is_asked(remembering, lost):
    log_in(remembering)
    getattr(remembering, lost).unlink()
    login = remembering.login()
    assert login.has_prompt() or not login.succeeds()


@pytest.mark.parametrize(
    "entries",
    [
        [],
        [("{id}",)],
        [("{id}", BOOT)],
        [("{id}", BOOT, "{since}")],
        [("{id}", BOOT, "x", "{date}")],
        [("{id}", BOOT, "-1", "{date}")],
        [("{id}", BOOT, "{since}", "")],
        [("{id}", BOOT, "00{since}", "{date}")],
        [("{id}", BOOT, "01", "{date}")],
        [("{id}", BOOT, "18446744073709551616", "{date}")],
        [("{id}", BOOT, "{since}", "$(date +%s)")],
        [("", BOOT, "{since}", "{date}")],
        [("*", "*", "{since}", "{date}")],
        [("x", "{id}", BOOT, "{since}", "{date}")],
    ],
)
def test_a_record_that_nobody_can_read_asks_and_denies_nobody(remembering, entries):
    log_in(remembering)
    ((one, _boot, since, date),) = words(remembering)
    known = {"id": one, "since": since, "date": date}
    put(remembering, *[[word.replace("{", "%(").replace("}", ")s") % known for word in entry] for entry in entries])
    assert is_asked(remembering)
    assert remembering.answer(remembering.token(1))
    assert not is_asked(remembering)


def test_a_restored_record_counts_until_the_same_time(remembering):
    log_in(remembering)
    before = remembering.state.read_text()
    remembering.state.unlink()
    assert is_asked(remembering)
    remembering.state.write_text(before)
    assert not is_asked(remembering)
    ((one, boot, _since, date),) = words(remembering)
    put(remembering, (one, boot, now() - SHORT, date))
    remembering.write_service(remember_seconds=SHORT)
    assert is_asked(remembering)


def test_a_second_token_counts_from_its_own_time(remembering):
    log_in(remembering)
    ((one, boot, _since, date),) = words(remembering)
    put(remembering, (one, boot, now() - SHORT, int(date) - SHORT))
    remembering.write_service(remember_seconds=SHORT)
    assert is_asked(remembering) and remembering.answer(remembering.token(1))
    assert len(words(remembering)) == 1 and not is_asked(remembering)


def test_prompts_that_are_open_meanwhile_stay_what_they_are(remembering):
    remembering.write_key(codes=CODES)
    first, second = remembering.asked(2)
    first.answer(remembering.token())
    assert first.succeeds() and not is_asked(remembering)
    second.answer(remembering.token())
    assert not second.succeeds()


def test_a_token_that_loses_a_race_is_not_remembered(remembering):
    """One token on eight connections from eight addresses: one gets in, and one is remembered."""
    for _round in range(int(os.environ.get("GUARD_ROUNDS", "3"))):
        remembering.secret = os.urandom(20)
        remembering.write_key()
        logins = []
        for number in range(8):
            remembering.address = f"192.0.2.{number + 10}"
            logins += [login for login in [remembering.login()] if login.has_prompt()]
        assert len(logins) == 8
        for login in logins:
            login.answer(remembering.token())
        assert [login.succeeds() for login in logins].count(True) == 1 == len(words(remembering))
