# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The guard's record of the login before the last one, which its user is told: real PAM conversations."""

from __future__ import annotations

import time

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.state_dir import StateDir

KEY = "SSH_AUTH_INFO_0=publickey ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExample"
CODES = ["12345678", "23456789", "34567890"]
WRONG = "000000"


@pytest.fixture
def recording(host):
    host.note_log()
    host.write_service(lock_after=0)
    host.write_key(codes=CODES)
    return host


def log_in(host, answer, address):
    host.first_factor = (KEY, f"PAM_RHOST={address}") if address is not None else (KEY,)
    return host.answer(answer)


def previous(host):
    found = StateDir(str(host.folder)).previous_login("alice")
    return found and (found["time"], found["wrong_tokens"], found["address"])


def test_three_logins(recording):
    assert not log_in(recording, WRONG, "203.0.113.9")
    assert previous(recording) is None, "nothing is told before the first login"
    started = int(time.time())
    assert log_in(recording, recording.token(), "192.0.2.1")
    assert previous(recording) == (None, 1, None)
    for _time in range(2):
        assert not log_in(recording, WRONG, "203.0.113.9")
    assert previous(recording) == (None, 1, None), "a wrong token changes nothing of it"
    assert log_in(recording, CODES[0], "2001:db8::1%eth0")
    when, wrong, address = previous(recording)
    assert started <= when <= time.time() and (wrong, address) == (2, "192.0.2.1")
    assert log_in(recording, CODES[1], None)
    assert previous(recording)[1:] == (0, "2001:db8::1%eth0")
    assert log_in(recording, CODES[2], "192.0.2.1")
    assert previous(recording)[1:] == (0, None)


@pytest.mark.parametrize(
    "address", ["a b", "x\nclaimed 1", "x\tlast_login 0", "\x1b]0;owned\x07", "ünicode", "-", "$(id)", "a" * 300, "*"]
)
def test_what_is_no_address_forges_nothing(recording, address):
    before = recording.state.read_text().splitlines() if recording.state.exists() else []
    assert log_in(recording, CODES[0], address) and log_in(recording, CODES[1], address)
    assert previous(recording)[1:] == (0, None) and before == []
    lines = recording.state.read_text().splitlines()
    assert [line for line in lines if line.startswith("last_from")] == ["last_from -"]
    assert sum(line.startswith("claimed") for line in lines) == 1


def test_what_modules_write_keeps_it(recording):
    assert log_in(recording, CODES[0], "192.0.2.1") and log_in(recording, CODES[1], "192.0.2.2")
    told = previous(recording)
    state = StateDir(str(recording.folder))
    with state.lock():
        state.claim_step("alice", 1)
        state.forget_attempts("alice")
    assert previous(recording) == told and told[2] == "192.0.2.1"
    state.forget_logins("alice")
    assert previous(recording) is None


@pytest.mark.parametrize("line", ["previous", "previous x y z", "previous 1", "previous 1 2 \xff", "previous 1 2 3 4"])
def test_a_broken_line_tells_nothing_and_denies_nobody(recording, line):
    assert log_in(recording, CODES[0], "192.0.2.1")
    kept = [one for one in recording.state.read_text().splitlines() if not one.startswith("previous")]
    recording.state.write_text("\n".join([line, *kept, ""]), encoding="latin-1")
    assert previous(recording) is None
    assert log_in(recording, CODES[1], "192.0.2.2")
    assert previous(recording)[1:] == (0, "192.0.2.1")
