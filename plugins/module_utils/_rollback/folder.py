# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The folder that holds a roll-out until it is confirmed, and its states. Private to the collection.

A state is the name of a folder, and a change of state is one rename(2): it needs no space on a full disk and is never
incomplete.

    new/          a snapshot being created; nothing has been changed yet
    armed/        an unconfirmed roll-out: the old files and its description
    rolled_back/  the last one that was not confirmed, until the next run has reported it
    confirmed/    the last one that was confirmed

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
from ansible_collections.fleetmfa.ssh.plugins.module_utils._rollback.record import RolloutFacts
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
        """Wait for exclusive access. The roll-back may kill a run that still holds the lock when its time is up."""
        descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if not lock_within(descriptor, patience) and not (
                kill_holder and _kill_holder(descriptor) and lock_within(descriptor, patience)
            ):
                raise FleetMfaError(self._at_work(_holder(descriptor)))
            with contextlib.suppress(OSError):  # a full disk must not prevent the roll-back
                os.pwrite(descriptor, f"{os.getpid():<16}".encode(), 0)
            yield
        finally:
            os.close(descriptor)

    def _at_work(self, holder: int | None) -> str:
        facts = self.facts(self.new) or self.facts(self.armed)
        whose = f" of {facts['controller']}" if facts and facts.get("controller") else ""
        return f"another roll-out{whose} is running on this host (process {holder}); wait until it ends and run again"

    def facts(self, state: Path) -> RolloutFacts | None:
        """The description of the roll-out in this state, None if there is none."""
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
        """From this rename on, a roll-back restores the snapshot."""
        self.new.rename(self.armed)
        sync_folder(self.path)

    def finish(self, state: Path, reason: str) -> None:
        """End the armed roll-out with `state`; from this rename on, nothing restores it."""
        with contextlib.suppress(OSError):  # on a full disk the name of the state must be enough
            snapshot.write_json(self.armed / _OUTCOME, {"reason": reason, "ended": time.time()})
        self.forget(state)
        self.armed.rename(state)
        sync_folder(self.path)
        for copy in state.glob("file-*"):
            copy.unlink()

    def forget(self, state: Path) -> None:
        shutil.rmtree(state, ignore_errors=True)


def _kill_holder(descriptor: int) -> bool:
    """Whether the lock may be available now; a holder that cannot be found may still be running."""
    holder = _holder(descriptor)
    if holder is None:
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(holder, signal.SIGKILL)
    return True


def _holder(descriptor: int) -> int | None:
    """The process that wrote its id into the lock file, if it still has it open; otherwise another process may have the
    id by now."""
    number = os.pread(descriptor, 16, 0).decode().strip()
    lock = os.fstat(descriptor)
    for opened in Path(f"/proc/{number}/fd").glob("*"):
        with contextlib.suppress(OSError):
            if os.path.samestat(opened.stat(), lock):
                return int(number)
    return None
