# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A policy, a state directory and a door for tests of enrollment."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
import tempfile
import time

from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.root.doorkeeper import Doorkeeper
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
        "connecting_users": [],
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
        # The tests' hosts have no sshd that could say what users need.
        "unknown_first_factor": "accept",
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
    """The service at a socket, in a separate process, as run by systemd; its log messages are in `log`."""

    def __init__(self, path: str, answer):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(path)
        os.chmod(path, 0o666)  # noqa: S103 - as the door is open to everybody
        self._socket.listen(64)
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed by close()
        self.process = os.fork()
        if self.process == 0:
            try:
                sys.stderr = self._log
                Doorkeeper(self._socket, answer).keep()
            finally:
                os._exit(0)

    @property
    def log(self) -> str:
        return os.pread(self._log.fileno(), 1 << 20, 0).decode()

    def close(self):
        with contextlib.suppress(ProcessLookupError, ChildProcessError):  # a test may have ended it
            os.kill(self.process, signal.SIGKILL)
            os.waitpid(self.process, 0)
        self._socket.close()
        self._log.close()


def as_user(uid: int, function):
    """The result of `function` in a process of that user; it must be JSON."""
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
