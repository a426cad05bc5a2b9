# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A change of files that rolls itself back unless it is confirmed in time. Private to the collection.

This depends on the order: the timer runs before the snapshot is armed, the snapshot is on disk and armed before the
first file changes, and the change becomes permanent with one rename, which confirms it.
"""

from __future__ import annotations

import contextlib
import time
from typing import Callable, ContextManager, Iterator, Literal

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError, PartlyDoneError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._rollback import snapshot, timer
from ansible_collections.fleetmfa.ssh.plugins.module_utils._rollback.folder import RolloutFolder
from ansible_collections.fleetmfa.ssh.plugins.module_utils._rollback.program import roll_back
from ansible_collections.fleetmfa.ssh.plugins.module_utils._rollback.record import (
    NOBODY,
    Began,
    Caller,
    EarlierRollout,
    Members,
    RolloutFacts,
    SshdToReload,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.reload import reload_sshd
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system import systemd
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import EnforcedGroup
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.file_errors import cannot
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.files import FileChange
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.utc import utc_text

_LOCK_PATIENCE = 60
_PAUSE = 0.5
# From the start of a roll-out until its controller begins to log in: writing the files and reloading sshd.
_APPLYING = 15


class Rollout:
    def __init__(self, state_dir: str):
        self.folder = RolloutFolder(f"{state_dir}/rollout")

    def lock(self) -> ContextManager[None]:
        for folder in (self.folder.path.parent, self.folder.path):
            try:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            except OSError as error:
                raise cannot("create the folder", folder, error) from error
        return self.folder.lock(_LOCK_PATIENCE)

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for exclusive access, and for the end of a roll-out that another controller may still confirm."""
        waits: dict[str, float] = {}
        while True:
            with self.lock():
                facts = self.folder.facts(self.folder.armed)
                if not facts or time.monotonic() >= waits.setdefault(facts["id"], time.monotonic() + _to_wait(facts)):
                    yield
                    return
            time.sleep(_PAUSE)

    @property
    def waits(self) -> bool:
        """Whether a roll-out has neither been confirmed nor rolled back: what it changed may still be taken back."""
        return self.folder.facts(self.folder.armed) is not None

    def earlier(self) -> EarlierRollout | None:
        """What happened to an earlier roll-out that was not confirmed: its id, outcome, reason and times."""
        facts = self.folder.facts(self.folder.armed)
        if facts is not None:
            began = snapshot.differs(self.folder.armed) or _has_joined(facts)
            return _told(facts, "waiting" if began else "interrupted")
        facts = self.folder.facts(self.folder.rolled_back)
        return None if facts is None else _told(facts, "rolled_back")

    def settle(self) -> None:
        """Clean up after an earlier run: changes that were not confirmed are rolled back now."""
        if self.waits:
            problems = roll_back(self.folder, "next_run")
            if problems:
                raise PartlyDoneError(
                    f"the roll-back of an earlier roll-out is not complete: {'; '.join(problems)}; fix this and run "
                    "again"
                )
        self.folder.forget(self.folder.rolled_back)
        self.folder.forget(self.folder.new)

    def start(
        self,
        rollout_id: str,
        changes: list[FileChange],
        timeout: int,
        sshd: SshdToReload | None,
        joining: Members | None = None,
        caller: Caller = NOBODY,
    ) -> Began:
        """Apply `changes` and add users to the group until this is confirmed, `timeout` seconds have passed, or a step
        fails.

        `sshd` (its `config` and `binary`, None for the usual ones) is reloaded; None if that is not needed.
        """
        deadline = time.time() + timeout
        facts: RolloutFacts = {
            "id": rollout_id,
            "started": time.time(),
            "deadline": deadline,
            "sshd": sshd,
            "sshd_units": systemd.active_sshd_units() if sshd else [],
            "joining": joining,
            "controller": caller.controller,
            "login_seconds": caller.login_seconds + _APPLYING if caller.controller else 0,
        }
        try:
            timer.prepare(self.folder)
            snapshot.take(self.folder.new, changes, facts)
            rollback_by = timer.start(self.folder, rollout_id, timeout)
            self.folder.arm()
        except (FleetMfaError, OSError) as error:
            self._abandon(rollout_id)
            raise FleetMfaError(f"{self._clear(error)}; nothing was changed") from error
        try:
            for change in changes:
                change.apply()
            if sshd:
                reload_sshd(sshd["config"], sshd["binary"])
            if joining:
                EnforcedGroup(joining["group"]).update(join=joining["users"])
        except (FleetMfaError, OSError) as error:
            raise self._undone(self._clear(error), deadline) from error
        return {"rollback_by": rollback_by, "rollback_at": utc_text(deadline)}

    def confirm(self, rollout_id: str) -> None:
        """May be repeated, since the answer to the first call may have been lost."""
        if self.is_confirmed(rollout_id):
            return
        self._check_armed(rollout_id)
        try:
            self.folder.finish(self.folder.confirmed, "confirmed")
            systemd.disarm(rollout_id)
        except OSError as error:
            raise self._clear(error) from error

    def roll_back(self, rollout_id: str) -> None:
        if self.folder.holds(self.folder.rolled_back, rollout_id):
            return
        self._check_armed(rollout_id)
        problems = roll_back(self.folder, "request")
        if problems:
            raise PartlyDoneError("; ".join(problems))

    def is_confirmed(self, rollout_id: str) -> bool:
        return self.folder.holds(self.folder.confirmed, rollout_id)

    def _check_armed(self, rollout_id: str) -> None:
        if self.folder.is_armed(rollout_id):
            return
        facts = self.folder.facts(self.folder.rolled_back)
        if facts is not None and facts["id"] == rollout_id:
            raise FleetMfaError(
                f"roll-out {rollout_id} was already rolled back ({facts.get('reason', 'reason not recorded')})"
            )
        raise FleetMfaError(
            f"there is no roll-out {rollout_id} waiting for confirmation; a later run may have rolled it back"
        )

    def _abandon(self, rollout_id: str) -> None:
        with contextlib.suppress(OSError):
            systemd.disarm(rollout_id)
            self.folder.forget(self.folder.new)

    def _clear(self, error: FleetMfaError | OSError) -> FleetMfaError:
        if isinstance(error, FleetMfaError):
            return error
        return cannot("prepare the roll-back", error.filename or self.folder.path, error)

    def _undone(self, error: FleetMfaError, deadline: float) -> FleetMfaError:
        problems = roll_back(self.folder, "failure")
        if not problems:
            return FleetMfaError(f"{error}; the old configuration is restored")
        return PartlyDoneError(
            f"{error}; the roll-back is not complete ({'; '.join(problems)}) and will be tried again at {utc_text(deadline)}"
        )


def _to_wait(facts: RolloutFacts) -> float:
    """How many seconds its controller may still need; does not rely on the clock alone, which may have been set."""
    seconds = facts.get("login_seconds", 0)
    return min(seconds, facts["started"] + seconds - time.time())


def _has_joined(facts: RolloutFacts) -> bool:
    joining = facts.get("joining")
    return joining is not None and not EnforcedGroup(joining["group"]).members.isdisjoint(joining["users"])


def _told(facts: RolloutFacts, outcome: Literal["rolled_back", "waiting", "interrupted"]) -> EarlierRollout:
    told: EarlierRollout = {
        "id": facts["id"],
        "outcome": outcome,
        "started": utc_text(facts["started"]),
        "deadline": utc_text(facts["deadline"]),
        "controller": facts.get("controller", ""),
    }
    if "ended" in facts:
        told["reason"], told["ended"] = facts["reason"], utc_text(facts["ended"])
    return told


def tell(earlier: EarlierRollout | None, what_now: str, warn: Callable[[str], None]) -> None:
    """Warn about an earlier roll-out that was not confirmed, and say who started it."""
    if earlier is None:
        return
    outcomes = {
        "rolled_back": f"and was rolled back at {earlier.get('ended', 'an unknown time')} ({earlier.get('reason', 'reason not recorded')})",
        "waiting": f"and still waits until {earlier['deadline']}; {what_now}",
        "interrupted": "because it was interrupted before it changed anything",
    }
    whose = f" by {earlier['controller']}" if earlier["controller"] else ""
    warn(f"roll-out {earlier['id']} of {earlier['started']}{whose} was not confirmed, {outcomes[earlier['outcome']]}")
