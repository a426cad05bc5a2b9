# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Who has given a token is not asked again for a while: same SSH key, same address, nothing else. Each other login is asked as ever."""

from __future__ import annotations

import itertools
import os
import shutil
import time
from pathlib import Path

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.state_dir import StateDir
from ansible_collections.fleetmfa.ssh.tests.support.guarded_host import GuardedHost
from ansible_collections.fleetmfa.ssh.tests.support.two_device_host import TwoDeviceHost

INFO = "SSH_AUTH_INFO_0="
KEY = f"{INFO}publickey ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExample"
OTHER_KEY = f"{INFO}publickey ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAnother"
CERTIFICATE = f"{INFO}publickey ssh-ed25519-cert-v01@openssh.com AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29t"
ADDRESS, ELSEWHERE = "192.0.2.7", "192.0.2.70"
CODES = ["12345678", "23456789"]
WRONG = "000000"
SECONDS = 43200
SHORT = 100  # no longer than the machine has been up
BOOT = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
ANOTHER_BOOT = "00000000-0000-0000-0000-000000000000"


def from_sshd(host, **settings):
    host.service, host.address, host.first_factor = "sshd", ADDRESS, (KEY,)
    host.write_service(remember_seconds=SECONDS, **settings)
    host.write_key(codes=CODES)
    return host


@pytest.fixture
def remembering(host):
    return from_sshd(host)


def now():
    """Seconds since boot."""
    return int(float(Path("/proc/uptime").read_text().split()[0]))


def is_asked(host, *environment, name=None):
    """Also checks that who is not asked is let in, and that who is asked is not let in without an answer."""
    login = host.login(environment, name=name)
    if login.has_prompt():
        login.hang_up()
        return True
    assert login.succeeds()
    return False


def words(host):
    """What is remembered, four words each: what the login had in common, boot, time since boot, date."""
    for line in host.state.read_text().splitlines():
        if line.startswith("remembered "):
            found = line.split()[1:]
            return [found[at : at + 4] for at in range(0, len(found), 4)]
    return []


def put(host, *entries):
    lines = [line for line in host.state.read_text().splitlines() if not line.startswith("remembered")]
    text = " ".join(" ".join(map(str, entry)) for entry in entries)
    host.state.write_text("\n".join([f"remembered {text}", *lines]) + "\n")


def log_in(host):
    assert is_asked(host)
    assert host.answer(host.token())


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


def test_a_second_token_counts_from_its_own_time(remembering):
    log_in(remembering)
    ((one, boot, _since, date),) = words(remembering)
    put(remembering, (one, boot, now() - SHORT, int(date) - SHORT))
    remembering.write_service(remember_seconds=SHORT)
    assert is_asked(remembering) and remembering.answer(remembering.token(1))
    assert len(words(remembering)) == 1 and not is_asked(remembering)


def test_many_logins_without_a_token_do_not_fill_the_record(remembering):
    log_in(remembering)
    filled = "".join(f"passed {number}.1 {now()}\n" for number in range(1000, 1200))
    remembering.state.write_text(filled + remembering.state.read_text())
    login = remembering.login()
    assert not login.has_prompt() and login.succeeds()
    passed = [line for line in remembering.state.read_text().splitlines() if line.startswith("passed")]
    assert len(passed) == 64 and passed[-1].startswith(f"passed {login.pid}.")


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
