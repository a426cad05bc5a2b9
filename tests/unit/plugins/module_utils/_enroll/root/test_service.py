# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The door itself: real sockets, real users, and what an attacker may send."""

from __future__ import annotations

import json
import pwd
import socket
import time

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.root import service as enroll_service
from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.root.service import main, serve
from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.user.door import Door, Refused
from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.tests.support.enrollment_host import SECRET, OpenDoor, as_user

GENEROUS_SECONDS = 120  # more than any of it takes on a busy machine


def uid(user):
    return pwd.getpwnam(user).pw_uid


def say(path, text: bytes, finish=False) -> bytes:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(GENEROUS_SECONDS)
        connection.connect(path)
        try:
            connection.sendall(text)
            if finish:
                connection.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass
        answer = b""
        try:
            while part := connection.recv(65536):
                answer += part
        except ConnectionResetError:
            pass
        return answer


def test_the_kernel_says_who_it_is(door):
    for user in ("alice", "bob"):
        assert as_user(uid(user), lambda: Door(door).status())["user"] == user
    assert as_user(uid("alice"), lambda: Door(door).key())["secret"] == SECRET


def test_an_id_without_an_account_is_told_so(door):
    def ask():
        try:
            return Door(door).key()
        except FleetMfaError as error:
            return str(error)

    assert as_user(54321, ask) == "user id 54321 has no account on this host"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"", "not one line"),
        (b"\n", "not JSON"),
        (b"[" * 1000 + b"\n", "not JSON"),
        (b"\x00\xff\xfe\n", "not JSON"),
        (b"1" * 1000 + b"\n", "does not know this request"),
        (b'{"request": "key"}', "not one line"),
        (b"A" * 1025, "not one line"),
        (b"A" * 3_000_000, None),
        (b'{"request": "status", "user": "bob"}\n', "does not know this request"),
    ],
)
def test_hostile_requests(door, text, told):
    answer = as_user(uid("alice"), lambda: say(door, text, finish=True).decode())
    assert SECRET not in answer and "Traceback" not in answer
    if told:
        assert told in json.loads(answer)["failed"]


@pytest.fixture
def little_patience(monkeypatch):
    monkeypatch.setattr(enroll_service, "QUESTION_SECONDS", 0.5)


def test_who_says_nothing_or_little_is_sent_away_in_time(little_patience, door):
    assert b"no request was received in time" in say(door, b"")
    assert b"no request was received in time" in say(door, b'{"request"')


def test_who_drips_does_not_stay_longer(little_patience, door):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(door)
        started = time.monotonic()
        with pytest.raises(OSError):  # noqa: PT011 - broken pipe or reset
            while time.monotonic() - started < GENEROUS_SECONDS:
                connection.sendall(b" ")
                time.sleep(0.05)


def test_who_goes_before_the_answer_does_no_harm(door):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(door)
        connection.sendall(b'{"request": "status"}\n')
    assert as_user(uid("alice"), lambda: Door(door).status())["user"] == "alice"


def test_an_unreadable_policy_is_reported_without_a_secret(tmp_path, accounts):
    path = str(tmp_path / "other")
    opened = OpenDoor(path, lambda connection: serve(connection, str(tmp_path / "none")))
    with pytest.raises(FleetMfaError, match="none is missing; run the role"):
        Door(path).status()
    opened.close()


def test_a_refusal_arrives_as_one(door):
    def ask():
        try:
            return Door(door).first("000000")
        except Refused as refusal:
            return [refusal.reason, refusal.seconds]

    assert as_user(uid("alice"), ask) == ["wrong", 0]


def test_no_door(tmp_path):
    with pytest.raises(FleetMfaError, match="does not answer"):
        Door(str(tmp_path / "none")).status()


@pytest.mark.parametrize("arguments", [[], ["--help"], ["alice"], ["shell"]])
def test_the_service_takes_no_other_arguments(arguments, capsys):
    assert main(arguments) == 2
    assert "usage: mfa-enroll-service door|deadline" in capsys.readouterr().err


def test_deadline_says_whether_it_changed_anything(monkeypatch, capsys):
    monkeypatch.setattr(enroll_service, "read_policy", lambda: None)
    monkeypatch.setattr(enroll_service, "end_exemptions", lambda _policy, _today: [])
    monkeypatch.setattr(enroll_service, "remind", lambda _policy, _today: ["alice"])
    for changed in (True, False):
        monkeypatch.setattr(enroll_service, "settle_all", lambda _policy, _today, changed=changed: changed)
        assert enroll_service.main(["deadline"]) == 0
        assert bool(capsys.readouterr().out) is changed
