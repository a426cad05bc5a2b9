# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The folder that holds a roll-out until it is confirmed, and its states. Private to the collection.

A state is the name of a folder, a change of state one rename(2): it needs no room on a full disk and is never half done.

    new/          a snapshot in the making; nothing was changed yet
    armed/        a roll-out that waits for its confirmation: the old files, and what is known about it
    rolled_back/  the last one that was not confirmed, until the next run has told of it
    confirmed/    the last one that was

This file also runs without Ansible, inside the roll-back program.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import time
from pathlib import Path
from typing import Iterator

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._rollback import snapshot
from ansible_collections.fleetmfa.ssh.plugins.module_utils._rollback.record import Facts
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.files import sync_folder
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.lock import lock_within

_OUTCOME = "outcome.json"


class RolloutFolder:
    def __init__(self, path: str):
        self.path = Path(path)
        self.new = self.path / "new"
        self.armed = self.path / "armed"
        self.rolled_back = self.path / "rolled_back"
        self.confirmed = self.path / "confirmed"
        self.program = self.path / "rollback.pyz"

    @contextlib.contextmanager
    def lock(self, patience: float, kill_holder: bool = False) -> Iterator[None]:
        """Be the only one at work here. The roll-back may kill a run that still holds the lock when its time is up."""
        descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if not lock_within(descriptor, patience) and not (
                kill_holder and _kill_holder(descriptor) and lock_within(descriptor, patience)
            ):
                raise FleetMfaError(self._at_work(_holder(descriptor)))
            with contextlib.suppress(OSError):  # a full disk must not keep the roll-back from its work
                os.pwrite(descriptor, f"{os.getpid():<16}".encode(), 0)
            yield
        finally:
            os.close(descriptor)

    def _at_work(self, holder: int | None) -> str:
        facts = self.facts(self.new) or self.facts(self.armed)
        whose = f" of {facts['controller']}" if facts and facts.get("controller") else ""
        return f"another roll-out{whose} is running on this host (process {holder}); wait until it ends and run again"

    def facts(self, state: Path) -> Facts | None:
        """What is known about the roll-out in this state, None if there is none."""
        try:
            facts = snapshot.manifest(state)
        except FileNotFoundError:
            return None
        with contextlib.suppress(FileNotFoundError, ValueError):
            facts.update(json.loads((state / _OUTCOME).read_bytes()))
        return facts

    def holds(self, state: Path, rollout_id: str) -> bool:
        facts = self.facts(state)
        return facts is not None and facts["id"] == rollout_id

    def is_armed(self, rollout_id: str) -> bool:
        return self.holds(self.armed, rollout_id)

    def is_under_way(self, rollout_id: str) -> bool:
        return self.holds(self.new, rollout_id) or self.holds(self.armed, rollout_id)

    def arm(self) -> None:
        """From this rename on a roll-back puts the snapshot back."""
        self.new.rename(self.armed)
        sync_folder(self.path)

    def finish(self, state: Path, reason: str) -> None:
        """Let the armed roll-out end in `state`; from this rename on nothing puts it back."""
        with contextlib.suppress(OSError):  # on a full disk the name of the state has to do
            snapshot.write_json(self.armed / _OUTCOME, {"reason": reason, "ended": time.time()})
        self.forget(state)
        self.armed.rename(state)
        sync_folder(self.path)
        for copy in state.glob("file-*"):
            copy.unlink()

    def forget(self, state: Path) -> None:
        shutil.rmtree(state, ignore_errors=True)


def _kill_holder(descriptor: int) -> bool:
    """Whether there is a chance of the lock now; a holder who cannot be found may still be at work."""
    holder = _holder(descriptor)
    if holder is None:
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(holder, signal.SIGKILL)
    return True


def _holder(descriptor: int) -> int | None:
    """The process that wrote its number into the lock, if it still has it open; else the number may be another's by now."""
    number = os.pread(descriptor, 16, 0).decode().strip()
    lock = os.fstat(descriptor)
    for opened in Path(f"/proc/{number}/fd").glob("*"):
        with contextlib.suppress(OSError):
            if os.path.samestat(opened.stat(), lock):
                return int(number)
    return None
