# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Not a test: one roll-out of three files in a process of its own, which SIGKILLs itself before its KILL_AT-th step.

KILL_AT 0 is never, and the number of steps is printed; see killer.py.

    rollout_run.py STATE_DIR ETC ROLLOUT_ID TIMEOUT KILL_AT
"""

from __future__ import annotations

import sys

from ansible_collections.fleetmfa.ssh.plugins.module_utils._rollback.rollout import Rollout
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system import systemd
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.files import FileChange
from ansible_collections.fleetmfa.ssh.tests.support.killer import Killer


def planned(etc: str) -> list[FileChange]:
    """One file changed, one made, one removed."""
    return [
        FileChange(f"{etc}/pam.d/sshd", b"new content\n"),
        FileChange(f"{etc}/ssh/00-made.conf", b"made\n"),
        FileChange(f"{etc}/ssh/99-removed.conf", None),
    ]


def main() -> None:
    state_dir, etc, rollout_id, timeout, kill_at = sys.argv[1:]
    systemd.is_running = lambda: False  # the timer of a developer's own machine is none of a unit test's business
    rollout = Rollout(state_dir)
    killer = Killer(int(kill_at))
    with rollout.lock():
        changes = planned(etc)
        with killer.watching():
            rollout.start(rollout_id, changes, int(timeout), sshd=None)
    print(killer.steps)


if __name__ == "__main__":
    main()
