# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The roll-back of an unconfirmed roll-out, started by its timer, at boot, or by a run. Private to the collection.

It runs without Ansible, from the archive that _rollback/timer.py builds, and may be killed and repeated at any point.
"""

from __future__ import annotations

import argparse
import syslog
import time

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._rollback import snapshot
from ansible_collections.fleetmfa.ssh.plugins.module_utils._rollback.folder import RolloutFolder
from ansible_collections.fleetmfa.ssh.plugins.module_utils._rollback.record import Members, SshdToReload
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.reload import reload_sshd
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system import systemd
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import EnforcedGroup

_LOCK_PATIENCE = 5
_PAUSE = 10
# At boot sshd waits for us; after that, trying for an hour costs nothing.
_TRIES = {"boot": 3, "timer": 360}


def roll_back(folder: RolloutFolder, reason: str) -> list[str]:
    """Restore the armed roll-out (the caller holds the lock). Returns the problems; if there are any, it stays
    armed."""
    facts = snapshot.manifest(folder.armed)
    problems, losses = snapshot.restore(folder.armed)
    problems += _take_out(facts.get("joining"))
    if facts["sshd"] and not problems:
        problems = _reload(facts["sshd"])
        systemd.start(facts["sshd_units"])  # a reload may have ended the sshd that had the new configuration
    if not problems:
        problems = _finish(folder, facts["id"], reason)
    _log(facts["id"], reason, problems)
    for loss in losses:
        syslog.syslog(syslog.LOG_CRIT, f"roll-out {facts['id']}: rolled back, but not completely: {loss}")
    return problems


def _take_out(joining: Members | None) -> list[str]:
    """Remove the users whom this roll-out added to the group. Members from before stay."""
    try:
        if joining:
            EnforcedGroup(joining["group"]).update(leave=joining["users"])
    except FleetMfaError as error:
        return [str(error)]
    return []


def _reload(sshd: SshdToReload) -> list[str]:
    try:
        reload_sshd(sshd["config"], sshd["binary"])
    except FleetMfaError as error:
        return [f"the old files are restored, but {error}"]
    return []


def _finish(folder: RolloutFolder, rollout_id: str, reason: str) -> list[str]:
    try:
        folder.finish(folder.rolled_back, reason)
        systemd.disarm(rollout_id)
    except OSError as error:
        return [f"the old files are restored, but the roll-out cannot be marked as ended: {error}"]
    return []


def _log(rollout_id: str, reason: str, problems: list[str]) -> None:
    syslog.openlog("fleetmfa-rollout", syslog.LOG_PID, syslog.LOG_AUTHPRIV)
    if problems:
        syslog.syslog(syslog.LOG_CRIT, f"roll-out {rollout_id}: roll-back not complete: {'; '.join(problems)}")
    else:
        syslog.syslog(
            syslog.LOG_WARNING, f"roll-out {rollout_id} was not confirmed ({reason}): the old configuration is restored"
        )


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=RolloutFolder)
    parser.add_argument("rollout_id", nargs="?")
    parser.add_argument("reason", nargs="?", choices=sorted(_TRIES))
    parser.add_argument("--after", type=int, default=0, metavar="SECONDS")
    parser.add_argument("--check", action="store_true", help="only check that the program starts")
    options = parser.parse_args(arguments)
    if options.check:
        return 0
    _wait(options.folder, options.rollout_id, options.after)
    return _roll_back_until_done(options.folder, options.rollout_id, options.reason)


def _wait(folder: RolloutFolder, rollout_id: str, seconds: int) -> None:
    """Until the time is up or the roll-out has ended in another way."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and folder.is_under_way(rollout_id):
        time.sleep(0.5)


def _roll_back_until_done(folder: RolloutFolder, rollout_id: str, reason: str) -> int:
    for attempt in range(_TRIES[reason]):
        if attempt:
            time.sleep(_PAUSE)
        if not folder.is_armed(rollout_id):
            return 0
        try:
            with folder.lock(_LOCK_PATIENCE, kill_holder=True):
                if not folder.is_armed(rollout_id) or not roll_back(folder, reason):
                    return 0
        except FleetMfaError as error:  # the lock is not available: its holder may be in the middle of a change
            _log(rollout_id, reason, [str(error)])
    return 1
