# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The root side of enrollment: the program /usr/local/libexec/fleetmfa/mfa-enroll-service. Private to the collection.

    mfa-enroll-service door       serves users' requests, one per connection, at systemd's socket (standard input)
    mfa-enroll-service deadline   ends exemptions, updates the group of users whose enrollment is overdue, and reminds users

This is the door between users and their keys. A user can only send one line of JSON through it, and the kernel tells
which user it is (SO_PEERCRED). Nothing else of the user reaches this process: no terminal, signal, environment, folder,
argument or open file.
"""

from __future__ import annotations

import datetime
import json
import pwd
import socket
import sys
import time
from typing import Callable

from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.protocol import LONGEST_REQUEST, Answer
from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.root.desk import Desk
from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.root.doorkeeper import Doorkeeper, user_id
from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.root.exemptions import end_exemptions
from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.root.overdue import settle_all
from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.root.policy import POLICY_PATH, Policy, read_policy
from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.root.reminders import remind
from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import SharedUids

QUESTION_SECONDS = 3


def main(arguments: list[str] | None = None) -> int:
    action = (sys.argv[1:] if arguments is None else arguments)[:1]
    if action == ["door"]:
        with socket.socket(fileno=sys.stdin.fileno()) as listener:
            Doorkeeper(listener, serve).keep()
        return 0
    if action == ["deadline"]:
        return _deadline()
    sys.stderr.write("usage: mfa-enroll-service door|deadline (run by systemd)\n")
    return 2


def _deadline() -> int:
    """What fails of it does not keep the rest from being done."""
    done = [_settled(step) for step in (_end_exemptions, _settle_overdue, _remind)]
    return 0 if all(done) else 1


def _settled(step: Callable[[Policy, datetime.date], str]) -> bool:
    try:
        told = step(read_policy(), datetime.date.today())
    except FleetMfaError as error:
        sys.stderr.write(f"mfa-enroll-service: {error}\n")
        return False
    if told:
        sys.stdout.write(f"mfa-enroll-service: {told}\n")
    return True


def _end_exemptions(policy: Policy, today: datetime.date) -> str:
    users = end_exemptions(policy, today)
    return f"no longer exempt, and asked for a token: {', '.join(users)}" if users else ""


def _settle_overdue(policy: Policy, today: datetime.date) -> str:
    return "the group of overdue users has changed" if settle_all(policy, today) else ""


def _remind(policy: Policy, today: datetime.date) -> str:
    """That users were reminded changes nothing on the host."""
    remind(policy, today)
    return ""


def serve(connection: socket.socket, policy_path: str = POLICY_PATH) -> None:
    """One request, one answer. A caller who sends nothing, too much, or no JSON gets no second try."""
    try:
        question = _question(connection)  # first, since a connection that is closed with unread data loses the answer
        answer: Answer = Desk(read_policy(policy_path), caller(connection)).answer(question)
    except FleetMfaError as error:
        answer = {"failed": str(error)}
    try:
        connection.settimeout(QUESTION_SECONDS)
        connection.sendall(json.dumps(answer).encode("ascii"))
    except OSError:
        pass  # the caller has left


def caller(connection: socket.socket) -> str:
    """The account of the peer."""
    uid = user_id(connection)
    try:
        user = pwd.getpwuid(uid).pw_name
    except KeyError:
        raise FleetMfaError(f"user id {uid} has no account on this host") from None
    others = SharedUids().other_names(user)
    if others and uid != 0:
        names = " and ".join([user, *others])
        raise FleetMfaError(
            f"{names} share a user id, so it is not known who is asking; an operator can validate a key for each "
            "(playbook fleetmfa.ssh.validate)"
        )
    return user


def _question(connection: socket.socket) -> object:
    deadline = time.monotonic() + QUESTION_SECONDS
    received = b""
    while not received.endswith(b"\n"):
        connection.settimeout(max(0.01, deadline - time.monotonic()))
        try:
            part = connection.recv(LONGEST_REQUEST)
        except OSError as error:
            raise FleetMfaError("no request was received in time") from error
        received += part
        if not part or len(received) > LONGEST_REQUEST:
            raise FleetMfaError(f"the request is not one line of at most {LONGEST_REQUEST} bytes")
    try:
        return json.loads(received)
    except (ValueError, RecursionError) as error:
        raise FleetMfaError("the request is not JSON") from error
