# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What is remembered has limits and faults: how much, for which groups, programs that fail, lost lines of PAM, the log, second devices."""

from __future__ import annotations

import itertools
import os

import pytest

from ansible_collections.fleetmfa.ssh.tests.support.guarded_host import GuardedHost
from ansible_collections.fleetmfa.ssh.tests.support.remembered_logins import (
    ADDRESS,
    ANOTHER_BOOT,
    ELSEWHERE,
    INFO,
    KEY,
    OTHER_KEY,
    SECONDS,
    WRONG,
    from_sshd,
    is_asked,
    log_in,
    now,
    put,
    words,
)
from ansible_collections.fleetmfa.ssh.tests.support.two_device_host import TwoDeviceHost


def test_no_more_than_sixteen_are_kept(remembering):
    remembering.write_key(rate_limit=None)
    log_in(remembering)
    ((one, boot, since, date),) = words(remembering)
    others = [(f"{number:064x}", boot, since, date) for number in range(15)]
    put(remembering, (one, boot, since, date), *others, (f"{99:064x}", ANOTHER_BOOT, since, date))
    remembering.address = ELSEWHERE
    assert remembering.answer(remembering.token(1))
    assert len(words(remembering)) == 16 and not is_asked(remembering)
    assert ANOTHER_BOOT not in remembering.state.read_text()
    remembering.address = ADDRESS
    assert is_asked(remembering), "the oldest is dropped"


def test_many_logins_without_a_token_do_not_fill_the_record(remembering):
    log_in(remembering)
    filled = "".join(f"passed {number}.1 {now()}\n" for number in range(1000, 1200))
    remembering.state.write_text(filled + remembering.state.read_text())
    login = remembering.login()
    assert not login.has_prompt() and login.succeeds()
    passed = [line for line in remembering.state.read_text().splitlines() if line.startswith("passed")]
    assert len(passed) == 64 and passed[-1].startswith(f"passed {login.pid}.")


@pytest.mark.parametrize("broken", ["sha256sum", "date", "flock"])
def test_a_program_that_fails_asks(remembering, broken):
    log_in(remembering)
    remembering.write_program(broken, "exit 1")
    login = remembering.login()
    assert login.has_prompt() or not login.succeeds()


@pytest.mark.parametrize("answer", ["exit 1", "exit 0", "echo the same for everybody"])
def test_a_program_that_fails_at_the_token_denies_nobody(remembering, answer):
    remembering.write_program("sha256sum", answer)
    log_in(remembering)
    assert is_asked(remembering) and words(remembering) == []


GROUPS = {
    "getent": """[ $1 = passwd ] && exec echo "$3:x:20001:20001::/:/bin/sh"
[ $1 = group ] || exit 1
shift 2
for name; do case $name in ops) echo ops:x:501: ;; web) echo web:x:502: ;; 'domain ops') echo 'domain ops:x:503:' ;; esac; done; exit 2""",
    "id": 'case $1 in -G) echo "20001 502 1501" ;; *) echo "alice web domain ops" ;; esac',
}


@pytest.mark.parametrize(
    ("groups", "asked"),
    [(["web"], False), (["ops", "web"], False), (["ops"], True), (["nosuch"], True), (["alice"], True)],
)
def test_only_members_of_the_groups(remembering, groups, asked):
    for name, script in GROUPS.items():
        remembering.write_program(name, script)
    remembering.write_service(remember_seconds=SECONDS, remember_groups=groups)
    log_in(remembering)
    assert is_asked(remembering) == asked
    remembering.write_service(remember_seconds=SECONDS, remember_groups=["ops"])
    assert is_asked(remembering), "the group is no longer among them"


@pytest.mark.parametrize("program", ["id", "getent"])
def test_a_directory_that_does_not_answer_has_no_members(remembering, program):
    for name, script in GROUPS.items():
        remembering.write_program(name, script)
    remembering.write_service(remember_seconds=SECONDS, remember_groups=["web"])
    log_in(remembering)
    remembering.write_program(program, "[ $1 = passwd ] && exec echo alice:x:20001:20001::/:/bin/sh; exit 2")
    assert is_asked(remembering)


@pytest.mark.parametrize(
    "variable", ["PAM_TYPE=account", "PAM_TYPE=open_session", "PAM_SERVICE=sudo", "PAM_SERVICE=su"]
)
def test_only_in_the_auth_phase_of_sshd(remembering, variable):
    log_in(remembering)
    given = {"PAM_SERVICE": "sshd", "PAM_RHOST": ADDRESS, INFO[:-1]: KEY[len(INFO) :]}
    assert remembering.run("remembered", str(SECONDS), **given).returncode == 0
    name, _is, value = variable.partition("=")
    assert remembering.run("remembered", str(SECONDS), **{**given, name: value}).returncode != 0


# The lines of the block, in their order; the last two decide nothing.
LINES = ("remembered", "attempt", "token", "failed", "claim", "deny", "deny again", "last", "permit", "permit again")
LOST = [lost for count in (0, 1, 2) for lost in itertools.combinations(LINES, count)]
# A host whose own lines let everybody in once the first of them is jumped over.
WRONG_PASSWORD = ["auth requisite pam_debug.so auth=auth_err", "auth required pam_permit.so"]


@pytest.mark.parametrize("lost", LOST, ids="+".join)
def test_if_lines_are_lost(one_shell, lost):
    host = one_shell
    assert host.answer(host.token())
    assert len(host.lines) == len(LINES)
    left = [line for name, line in zip(LINES, host.lines) if name not in lost]
    host.write_lines([*left, *WRONG_PASSWORD])
    login = host.login()
    remembered = not login.has_prompt() and login.succeeds()
    assert remembered == (not set(lost) - {"permit", "permit again"}), "needs the password if the jump goes too far"
    host.address = ELSEWHERE
    for answer in (WRONG, ""):
        assert not host.answer(answer)
    host.first_factor = (OTHER_KEY,)
    assert not host.answer(WRONG)


@pytest.fixture
def one_shell(tmp_path, need_pam):
    """The shell makes no difference to libpam."""
    return from_sshd(GuardedHost(tmp_path, "dash"))


def test_what_the_log_says(remembering):
    remembering.note_log()
    log_in(remembering)
    assert not is_asked(remembering)
    remembering.address = ELSEWHERE
    assert is_asked(remembering)
    logged = remembering.logged()
    assert f"remembered alice from {ADDRESS}: a token was given " in logged
    assert logged.count(f"asked alice from {ELSEWHERE}") == 1 and "refused" not in logged


def test_a_fault_is_logged_once_by_what_denies(remembering):
    log_in(remembering)
    remembering.note_log()
    remembering.state.write_text("wrong x\n")
    assert not remembering.login().succeeds()
    assert remembering.logged().count("refused alice") == 1


def test_nothing_of_a_secret_is_in_the_record(remembering):
    log_in(remembering)
    text = remembering.state.read_text()
    secret = remembering.key_path.read_text().splitlines()[0]
    assert secret not in text and KEY.split()[-1] not in text and remembering.state.stat().st_mode & 0o777 == 0o600


@pytest.fixture
def two(tmp_path, need_pam):
    return from_sshd(TwoDeviceHost(tmp_path, "dash"))


@pytest.mark.parametrize("device", ["first", "second"])
def test_a_token_of_either_device_is_remembered(two, device):
    assert is_asked(two)
    assert two.answer(two.token() if device == "first" else two.second_token())
    assert not is_asked(two)


@pytest.mark.parametrize("change", ["removed", "another key", "another user's", "first"])
def test_asked_when_either_key_has_changed(two, change):
    assert two.answer(two.second_token())
    assert not is_asked(two)
    if change == "removed":
        two.second_path.unlink()
    elif change == "first":
        two.secret = os.urandom(20)
        two.write_key_without_forgetting()
    else:
        two.write_second_key(
            os.urandom(20) if change == "another key" else None, meta='{"uid": 7}' if "user" in change else ""
        )
    assert words(two) and is_asked(two)


def test_a_second_key_that_does_not_count_hides_no_change_of_the_first(two):
    two.write_second_key(meta='{"uid": 7}')
    assert two.answer(two.token()) and not is_asked(two)
    two.secret = os.urandom(20)
    two.write_key_without_forgetting()
    assert is_asked(two)


def test_without_the_setting_the_lines_are_as_ever(tmp_path, need_pam):
    host = GuardedHost(tmp_path, "dash")
    text = "\n".join(host.lines)
    assert "remember" not in text and text.count("totp-guard") == 3
