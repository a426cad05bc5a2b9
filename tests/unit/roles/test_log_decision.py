# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Each decision is one entry of the journal, in which nothing is forged; and no log changes or delays a decision."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections import Counter

import pytest

from ansible_collections.fleetmfa.ssh.tests.support.journal import JournalSocket

KEY = "SSH_AUTH_INFO_0=publickey ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExample"
CODE = "12345678"
WRONG = "000000"
ADDRESS = "203.0.113.7"
FORGED = "x\nFLEETMFA_DECISION=accepted\nMESSAGE=accepted root: a token"
HOSTILE = [FORGED, "a\rb", "\x1b]0;owned\x07", "a\x85\u2028b", "a\n\nMESSAGE=b", "=", "\udcff\udcfe"]


@pytest.fixture
def logging(host):
    """The host with a journal; every login comes after an accepted key."""
    if not JournalSocket.is_possible():
        pytest.skip("needs a mount namespace, and a logger that knows the journal")
    host.first_factor = (KEY, f"PAM_RHOST={ADDRESS}")
    host.write_service(lock_after=3)
    host.write_key(codes=[CODE])
    host.journal = JournalSocket(host.folder)
    host.limit_log(600)
    host.write_program("logger", host.journal.logger)
    yield host
    host.journal.close()


def entries(host):
    host.logged()
    return host.journal.entries()


def decisions(host):
    """Since the last call, without an order: each line is written by a process of its own."""
    return Counter((entry["FLEETMFA_DECISION"], entry["FLEETMFA_REASON"]) for entry in entries(host))


def fail(host, times):
    assert not any([host.answer(WRONG) for _time in range(times)])


def test_all_fields(logging):
    run = logging.run("attempt", PAM_USER="ALICE", PAM_SERVICE="sshd", PAM_RHOST=ADDRESS)
    assert run.returncode == 0
    assert entries(logging) == [
        {
            "FLEETMFA_DECISION": "asked",
            "FLEETMFA_REASON": "one_device",
            "FLEETMFA_USER": "alice",
            "FLEETMFA_UID": "20001",
            "FLEETMFA_SPELLING": "ALICE",
            "FLEETMFA_SERVICE": "sshd",
            "FLEETMFA_ADDRESS": ADDRESS,
            "FLEETMFA_PROCESS": str(os.getpid()),
            "PRIORITY": "5",
            "SYSLOG_FACILITY": "10",
            "SYSLOG_IDENTIFIER": "totp-guard",
            "MESSAGE": f"asked alice (as ALICE) from {ADDRESS}: for a token",
        }
    ]


def test_a_login(logging):
    assert logging.answer(logging.token())
    assert decisions(logging) == Counter([("asked", "one_device"), ("accepted", "token")])
    assert logging.answer(CODE)
    assert decisions(logging) == Counter([("asked", "one_device"), ("accepted", "recovery_code")])


def test_no_token_and_no_code_is_in_any_field(logging):
    token = logging.token()
    fail(logging, 2)
    assert logging.answer(token) and logging.answer(CODE)
    logging.logged()
    sent = b"".join(logging.journal.datagrams())
    assert sent.count(b"FLEETMFA_DECISION=") == 8
    for secret in (token, CODE, WRONG, "AAAAC3NzaC1lZDI1NTE5AAAAIExample"):
        assert secret.encode() not in sent


def test_reused(logging):
    assert logging.answer(logging.token())
    assert logging.run("attempt").returncode == 0
    assert logging.run("claim").returncode == 1
    assert ("refused", "reused") in decisions(logging)


def test_rate_limited(logging):
    logging.write_key(rate_limit="1 30")
    assert logging.login().has_prompt()
    assert not logging.login().has_prompt()
    assert decisions(logging) == Counter([("asked", "one_device"), ("refused", "rate_limited")])


def test_wrong_tokens_until_locked(logging):
    fail(logging, 4)
    assert decisions(logging) == {
        ("asked", "one_device"): 3,
        ("wrong", "counted"): 2,
        ("locked", "for_a_time"): 1,
        ("refused", "locked"): 1,
    }
    logging.state.write_text("wrong 99 0\nclaimed\n")
    fail(logging, 1)
    assert ("locked", "suspended") in decisions(logging)
    assert not logging.answer(logging.token())
    assert ("refused", "suspended") in decisions(logging)
    logging.first_factor = ()
    fail(logging, 1)
    assert ("wrong", "not_counted") in decisions(logging)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda host: host.key_path.unlink(), "unreadable"),
        (lambda host: host.state.write_text("open\n"), "malformed"),
        (lambda host: shutil.rmtree(host.folder / "guard"), "busy"),
        (lambda host: host.key_path.write_text('SECRET\n" FLEETMFA {"uid": 1}\n'), "wrong_uid"),
        (lambda host: host.write_directory("exit 2"), "no_account"),
    ],
)
def test_refused_for_a_fault(logging, spoil, reason):
    spoil(logging)
    assert not logging.login().has_prompt()
    assert decisions(logging) == {("refused", reason): 1}


def test_nothing_is_forged(logging):
    """Each is one entry with our fields, once each, in which nothing ends a line or reaches a terminal as a command."""
    sent = []
    for value in HOSTILE:
        assert logging.run("attempt", PAM_USER=value).returncode != 0
        assert logging.run("attempt", PAM_RHOST=value, PAM_SERVICE=value).returncode == 0
        logging.logged()  # in between, since only ten fit into the socket
        sent += [datagram.decode("ascii").splitlines() for datagram in logging.journal.datagrams()]
    told = [line for lines in sent for line in lines if line.startswith("FLEETMFA_DECISION=")]
    assert Counter(told) == dict.fromkeys(("FLEETMFA_DECISION=refused", "FLEETMFA_DECISION=asked"), len(HOSTILE))
    for lines in sent:
        names = [line.partition("=")[0] for line in lines]
        assert len(names) == len(set(names)) and all(line.isprintable() for line in lines)
        assert [line for line in lines if line.startswith(("MESSAGE=refused ", "MESSAGE=asked "))]


def test_long_values_are_cut(logging):
    logging.run("attempt", PAM_USER="u" * 60_000, PAM_RHOST="h" * 60_000)
    (entry,) = entries(logging)
    assert entry["FLEETMFA_USER"] == "u" * 256 and entry["FLEETMFA_ADDRESS"] == "h" * 256
    told = f"refused {'u' * 256} from {'h' * 256}: "
    assert entry["MESSAGE"].startswith(told) and len(entry["MESSAGE"]) == 1024
    assert entry["FLEETMFA_DECISION"] == "refused"


def test_text_for_syslog_is_as_clean(host):
    """Without a journal there is one line of text; no second one is forged in it."""
    host.note_log()
    host.run("attempt", PAM_RHOST="h\nDec 1 00:00:00 host totp-guard: accepted root: a token")
    (line,) = host.logged().splitlines()
    assert line == (
        "-t totp-guard -p authpriv.notice -- "
        "asked alice from h?Dec 1 00:00:00 host totp-guard: accepted root: a token: for a token"
    )


def test_a_logger_that_does_not_know_the_journal_logs_text(logging):
    log = logging.folder / "log"
    logging.write_program("logger", f'case $1 in --journald) exit 1 ;; esac; printf "%s\\n" "$*" >>{log}')
    assert logging.answer(logging.token())
    assert logging.logged().count("-t totp-guard -p authpriv.notice -- ") == 2


def decides_as_ever(host):
    assert host.run("attempt").returncode == 0
    host.write_key_without_forgetting(used=(host.step,))
    assert host.run("claim").returncode == 0
    assert host.run("claim").returncode == 1, "no attempt left"


@pytest.mark.parametrize("fault", ["full", "hangs"])
def test_a_log_that_does_not_answer_delays_nothing(logging, fault):
    if fault == "full":
        logging.journal.fill()
    else:
        logging.write_program("logger", f"while [ -e {logging.key_path} ]; do sleep 0.1; done")
    decides_as_ever(logging)
    assert logging.still_logs() == 3, "all decisions were made before the first line was written"
    logging.journal.datagrams()
    logging.key_path.unlink()
    logging.logged()


@pytest.mark.parametrize("journal", [True, False], ids=["journal", "syslog"])
def test_a_log_that_does_not_answer_is_given_up(host, journal):
    opened = JournalSocket(host.folder) if journal else None
    host.limit_log(1)
    host.write_program("logger", f"while [ -e {host.key_path} ]; do sleep 0.1; done")
    try:
        assert host.run("attempt").returncode == 0
        host.logged()
    finally:
        host.key_path.unlink()
        if opened:
            opened.close()


@pytest.mark.parametrize("fault", ["fails", "no logger", "no program"])
def test_a_log_that_cannot_be_written_changes_no_decision(logging, fault):
    if fault == "no program":
        logging.log_decision.unlink()
    else:
        logging.write_program("logger", "kill -9 $$")
        logging.directory.with_name("logger").chmod(0o755 if fault == "fails" else 0o644)
    decides_as_ever(logging)
    logging.logged()


def test_a_process_that_cannot_be_started_changes_no_decision(host):
    """The shell ends if it cannot fork. Here for want of the program that forks: the last words are those of the decision."""
    text = host.guard.read_text()
    begun = '"$LOG_DECISION" "$2"'
    assert begun in text
    # What dash and bash do then: the shell itself ends with an error.
    host.guard.write_text(text.replace(begun, "exit 2; " + begun))
    assert host.run("attempt").returncode == 0
    host.write_key_without_forgetting(used=(host.step,))
    assert host.run("claim").returncode == 0
    assert host.run("claim").returncode == 1


@pytest.mark.parametrize(
    ("folder", "name", "reason"),
    [("keys", "root", "not_enforced"), ("pending", "root", "pending"), ("pending", "other", "no_key")],
)
def test_who_is_not_asked(logging, folder, name, reason):
    (logging.folder / folder).mkdir(exist_ok=True)
    (logging.folder / folder / name).touch()
    command = [str(logging.log_decision), "not_asked", str(logging.folder)]
    subprocess.run(command, env={"PAM_USER": "root", "PAM_SERVICE": "sshd"}, check=True)
    (entry,) = entries(logging)
    assert (entry["FLEETMFA_DECISION"], entry["FLEETMFA_REASON"]) == ("not_asked", reason)
    assert (entry["FLEETMFA_USER"], entry["FLEETMFA_UID"]) == ("root", "0")
    assert entry["MESSAGE"].startswith("not asked root: ")
