# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What a login does that its user is told: real PAM conversations, the programs as installed, and nobody waits for them."""

from __future__ import annotations

import json
import os
import time

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._program import build_program

KEY = "SSH_AUTH_INFO_0=publickey ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExample"
CODES = ["12345678", "23456789"]
WRONG = "000000"
ADDRESS = "203.0.113.7"
PATIENCE = 20


@pytest.fixture
def telling(host):
    """The host with the settings and the program that the role installs; every login comes after an accepted key."""
    host.note_log()
    host.first_factor = (KEY, f"PAM_RHOST={ADDRESS}")
    host.write_service(lock_after=3)
    host.write_key(codes=CODES)
    (host.folder / "notices.conf").write_text(f'state_dir = {host.folder}\ngroup = g\ncommand = ["/bin/true"]\n')
    host.program = host.folder / "mfa-notice"
    host.program.write_bytes(build_program("_notices.program", "/usr/bin/python3"))
    host.program.chmod(0o755)
    return host


def recorded(host, count):
    """That many, and after some time no more."""
    folder = host.folder / "notices/new"
    deadline = time.monotonic() + PATIENCE
    while (len(list(folder.glob("*"))) < count) and time.monotonic() < deadline:
        time.sleep(0.05)
    host.logged()
    time.sleep(0.3)
    found = [json.loads((folder / name).read_text()) for name in sorted(os.listdir(folder))] if folder.exists() else []
    assert len(found) == count
    return [(one["user"], one["event"], one["by"], one["details"]) for one in found]


def fail(host, times):
    assert not any([host.answer(WRONG) for _time in range(times)])


def test_neither_a_login_nor_a_wrong_token_is_told(telling):
    fail(telling, 2)
    assert telling.answer(telling.token())
    assert recorded(telling, 0) == []


def test_a_recovery_code(telling):
    assert telling.answer(CODES[0])
    assert recorded(telling, 1) == [("alice", "recovery_code_used", "user", {"address": ADDRESS, "recovery_codes": 1})]


def test_a_lock_once_however_many_more_wrong_tokens_there_are(telling):
    fail(telling, 12)
    ((user, event, by, details),) = recorded(telling, 1)
    until = details.pop("until")
    assert (user, event, by, details) == ("alice", "locked", "host", {"address": ADDRESS, "wrong_tokens": 3})
    left = time.mktime(time.strptime(until, "%Y-%m-%dT%H:%M:%SZ")) - time.timezone - time.time()
    assert 1700 < left < 1805


def test_a_lock_until_an_operator_unlocks(telling):
    telling.write_service(lock_after=3, lock_seconds=0)
    fail(telling, 3)
    assert recorded(telling, 1) == [("alice", "locked", "host", {"address": ADDRESS, "wrong_tokens": 3})]


def test_a_suspended_key(telling):
    telling.write_service(lock_after=0)
    telling.state.write_text("wrong 99 0\nclaimed \n")
    fail(telling, 1)
    assert recorded(telling, 1) == [("alice", "suspended", "host", {"address": ADDRESS, "wrong_tokens": 100})]


def test_a_stranger_causes_nothing(telling):
    """Without the first factor no wrong token counts."""
    telling.first_factor = (f"PAM_RHOST={ADDRESS}",)
    fail(telling, 20)
    assert recorded(telling, 0) == []


def test_what_an_attacker_chooses_as_an_address(telling):
    telling.first_factor = (KEY, 'PAM_RHOST=x"}\n{"event": "validated\x1b]0;')
    assert telling.answer(CODES[0])
    ((_user, event, _by, details),) = recorded(telling, 1)
    assert event == "recovery_code_used" and details["address"] == 'x"}?{"event": "validated?]0;'


@pytest.mark.parametrize("script", ["exec sleep 600", "exit 1", None])
def test_no_login_waits_for_it_or_depends_on_it(telling, script):
    if script is None:
        telling.program.unlink()
    else:
        telling.program.write_text(f"#!/bin/sh\n{script}\n")
    telling.limit_log(3)
    started = time.monotonic()
    assert telling.answer(CODES[0])
    assert time.monotonic() - started < 300  # the program would sleep for 600
    assert "accepted alice" in telling.logged()  # which waits for the end of all that was started


def test_nothing_is_started_without_the_settings(telling):
    (telling.folder / "notices.conf").unlink()
    telling.program.write_text(f"#!/bin/sh\ntouch {telling.folder}/started\n")
    assert telling.answer(CODES[0])
    telling.logged()
    assert not (telling.folder / "started").exists()


def test_nothing_is_started_for_a_token_wrong_or_right(telling):
    telling.program.write_text(f"#!/bin/sh\ntouch {telling.folder}/started\n")
    fail(telling, 2)
    assert telling.answer(telling.token())
    telling.logged()
    assert not (telling.folder / "started").exists()


def test_its_environment_is_empty(telling):
    telling.program.write_text(f"#!/bin/sh\n/usr/bin/env >{telling.folder}/saw\n")
    telling.first_factor = (*telling.first_factor, "LD_LIBRARY_PATH=/x", "PYTHONPATH=/y")
    assert telling.answer(CODES[0])
    telling.logged()
    names = {line.split("=")[0] for line in (telling.folder / "saw").read_text().splitlines()}
    assert names <= {"PWD", "_", "SHLVL", "OLDPWD", "PATH"}
