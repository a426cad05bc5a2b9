# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Which time step was used last for a login, and whose turn it is to log in, across all forks and runs. Private.

In a private folder of the controller; it contains no secret, and no name in clear.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import hmac
import os
import secrets
import time
from pathlib import Path
from typing import Iterator

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError

_NAME_KEY = "name_key"


class StepsFolder:
    def __init__(self, path: Path):
        self._path = path
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = path.stat()
        if status.st_uid != os.geteuid() or status.st_mode & 0o077:
            raise FleetMfaError(
                f"totp_state_dir: {path} must belong to the account that runs Ansible and be closed to others (chmod 0700)"
            )

    def of_host(self, login: str) -> UsedSteps:
        """`login` names the account and the host, such as alice@web1:22."""
        return UsedSteps(self._file_of(login), "on this host", "")

    def of_fleet(self, user: str) -> UsedSteps:
        """Where a token counts once in the fleet, all hosts are one."""
        return UsedSteps(
            self._file_of(user),
            "in the fleet (mfa_claims: etcd)",
            ". So that plays need not wait: open all connections ahead of them, with a long ControlPersist; give Ansible a key "
            "of its own, as a second device; or ask for tokens at a jump host (docs/ansible_with_mfa.md)",
        )

    def _file_of(self, name: str) -> Path:
        return self._path / hmac.new(self._name_key(), name.encode(), hashlib.sha256).hexdigest()[:32]

    def _name_key(self) -> bytes:
        path = self._path / _NAME_KEY
        with _locked(path) as file:
            key = os.pread(file, 64, 0)
            if len(key) != 32:
                key = secrets.token_bytes(32)
                os.pwrite(file, key, 0)
            return key


class UsedSteps:
    def __init__(self, path: Path, where: str, advice: str):
        self._path = path
        self._where, self._advice = where, advice

    def waiting(self, seconds: float) -> str:
        """What to tell the operator."""
        return f"the current token has been used {self._where}; waiting {seconds:.0f} s for the next one{self._advice}"

    def free_in(self, period: int) -> float:
        """Seconds until a token can be used that was not used yet; 0 if the current one can."""
        with _locked(self._path) as file:
            return self._wait(file, period)

    def take(self, period: int) -> int | None:
        """The current step, which then counts as used; None if it was used already."""
        with _locked(self._path) as file:
            if self._wait(file, period) > 0:
                return None
            step = int(time.time()) // period
            # The end of the step, since the numbers of two keys with different periods cannot be compared.
            self._write(file, (step + 1) * period)
            return step

    def count_until(self, end: int) -> None:
        """Count the tokens until `end`, in seconds since 1970, as used."""
        with _locked(self._path) as file:
            self._write(file, max(end, self._read(file)))

    def turn(self) -> Turn:
        return Turn(self._path.with_suffix(".turn"))

    @classmethod
    def _wait(cls, file: int, period: int) -> float:
        # No longer than a step, even if the clock was set back.
        return max(0.0, min(cls._read(file) - time.time(), period))

    @staticmethod
    def _read(file: int) -> int:
        return int(os.pread(file, 20, 0) or b"0")

    @staticmethod
    def _write(file: int, used_until: int) -> None:
        os.pwrite(file, f"{used_until:020d}".encode(), 0)


class Turn:
    """Held by the one process that logs in to a host; released by itself when the process ends."""

    def __init__(self, path: Path):
        self._file: int | None = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def take(self, wait: bool) -> bool:
        """Returns false if another process has it and `wait` is false."""
        if self._file is None:
            raise ValueError("the turn is over")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            return False
        return True

    def release(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            os.close(file)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[int]:
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file
    finally:
        os.close(file)
