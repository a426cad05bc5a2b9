# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the fleetmfa.ssh authors
"""A policy, a state directory and a door for tests of enrollment."""

from __future__ import annotations

import json
import os
import signal
import socket
import time

from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.root.policy import Policy
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.key_file import KeyFile, KeySettings
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.origin import made_here
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.state_dir import StateDir

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
CODES = ["12345678", "23456789"]


def policy(tmp_path, **changed) -> Policy:
    values = {
        "state_dir": str(tmp_path / "state"),
        "group": "mfa-enforced",
        "overdue_group": "mfa-overdue",
        "users": None,
        "exempt_users": [],
        "exempt_groups": [],
        "issuer": "SSH",
        "period": 30,
        "window": 3,
        "rate_limit_attempts": 3,
        "rate_limit_seconds": 30,
        "recovery_codes": 5,
        "enrollment_start": None,
        "enrollment_days": 7,
        "enrollment_overdue": "allow",
        "user_extensions": {},
        "group_extensions": {},
    }
    return Policy(**{**values, **changed})


def pending_key(user: str, since: float | None = None, origin: dict | None = None, secret: str = SECRET) -> KeyFile:
    """A key that this host has made, or one of another origin."""
    key = KeyFile.create(secret, KeySettings(), "SSH", user, CODES, time.time() if since is None else since)
    return key.with_meta(**(made_here() if origin is None else origin))


def provision(tmp_path, *users: str, **key) -> StateDir:
    """Give these users a pending key; `key` as for `pending_key`."""
    state = StateDir(str(tmp_path / "state"))
    with state.lock():
        state.prepare()
        for user in users:
            state.save_pending(user, pending_key(user, **key))
    return state


class OpenDoor:
    """The service at a socket, in a process of its own: one request a connection, as systemd runs it."""

    def __init__(self, path: str, answer):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(path)
        os.chmod(path, 0o666)  # noqa: S103 - as the door is open to everybody
        self._socket.listen(64)
        self._process = os.fork()
        if self._process == 0:
            try:
                self._serve(answer)
            finally:
                os._exit(1)

    def _serve(self, answer):
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        while True:
            connection, _address = self._socket.accept()
            if os.fork() == 0:
                answer(connection)
                os._exit(0)
            connection.close()

    def close(self):
        os.kill(self._process, signal.SIGKILL)
        os.waitpid(self._process, 0)
        self._socket.close()


def as_user(uid: int, function):
    """What `function` returns when a process of that user runs it; the value has to be JSON."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
            os.write(write, json.dumps(function()).encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    return json.loads(text)
