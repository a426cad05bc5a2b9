# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Tells users what was recorded: runs the hook once for each notice. Private to the collection.

One sender at a time runs few hooks at a time, so any number of notices needs a bounded number of processes. A notice is taken
out of the folder before its hook runs: whatever happens then, nothing is told twice.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.notices import NEW, log
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.private_folder import locked, make_private_folder
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.state_dir import StateDir
from ansible_collections.fleetmfa.ssh.plugins.module_utils._notices.command import check_command
from ansible_collections.fleetmfa.ssh.plugins.module_utils._notices.settings import NoticeSettings
from ansible_collections.fleetmfa.ssh.plugins.module_utils._notices.words import EVENTS, document
from ansible_collections.fleetmfa.ssh.plugins.module_utils._rollback.folder import RolloutFolder
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import EnforcedGroup
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.commands import feed
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.files import read_file

MOST_SECONDS = 30  # for one hook, which is killed then
AT_ONCE = 4
KEPT_SECONDS = 24 * 3600  # what could not be told by then is old news
_BATCH = 200
# systemd starts this program once more if anything is left, and gives up on one that it has to start too often.
_PAUSE = 0.5
_ROLLOUT_SECONDS = 2 * 3600


def send_all(settings: NoticeSettings) -> None:
    """Until nothing is left. If another sender is at work, that one does it."""
    state = StateDir(settings.state_dir)
    make_private_folder(str(state.notices.path / NEW))
    with contextlib.ExitStack() as stack:
        try:
            descriptor = locked(str(state.notices.path / "lock"), 0)
        except FleetMfaError:
            return
        stack.callback(os.close, descriptor)
        sender = Sender(settings, state.notices.path / NEW)
        while sender.has_notices:
            _await_changes(state)
            sender.send_some()
            time.sleep(_PAUSE)


def _await_changes(state: StateDir) -> None:
    """A run that is changing keys may not have recorded everything, and what a roll-out has changed may be taken back."""
    with contextlib.suppress(FleetMfaError), state.lock():
        pass
    folder, deadline = RolloutFolder(f"{state.path}/rollout"), time.monotonic() + _ROLLOUT_SECONDS
    while folder.facts(folder.armed) is not None and time.monotonic() < deadline:
        time.sleep(_PAUSE)


class Sender:
    def __init__(self, settings: NoticeSettings, folder: Path):
        self._settings = settings
        self._folder = folder

    @property
    def has_notices(self) -> bool:
        with os.scandir(self._folder) as found:
            return next(found, None) is not None

    def send_some(self) -> None:
        """The oldest ones. If nobody can be told, they are dropped, which is a line in the log."""
        names = sorted(os.listdir(self._folder))[:_BATCH]
        members = EnforcedGroup(self._settings.group).members
        notices = [notice for name in names if (notice := self._taken(name, members)) is not None]
        try:
            check_command(self._settings.command)
        except FleetMfaError as error:
            log(f"{len(notices)} notices are not told: mfa_notify_command: {error}")
            return
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(self._tell, notices))

    def _taken(self, name: str, members: set[str]) -> dict[str, Any] | None:
        """The document for the hook; None if there is nothing to tell any more. `members` are of the enforced group."""
        path = self._folder / name
        try:
            content = read_file(str(path))
            os.unlink(path)
            notice = json.loads(content or b"")
            if notice["time"] < time.time() - KEPT_SECONDS:
                log(f"user {notice['user']}: {notice['event']}: not told, since it is older than a day")
                return None
            if notice["event"] not in EVENTS:
                raise ValueError("an unknown event")
            enforced = notice["user"] in members
            if notice["event"] == "enforced" and not enforced:
                return None  # taken back in the meantime
            return document(notice, os.uname().nodename, enforced, name)
        except (FleetMfaError, ValueError, KeyError, TypeError, AttributeError) as error:
            log(f"a notice cannot be read and is dropped: {type(error).__name__}")
            return None

    def _tell(self, told: dict[str, Any]) -> None:
        text = json.dumps(told).encode("ascii") + b"\n"
        problem = feed(self._settings.command, text, MOST_SECONDS)
        if problem:
            log(f"user {told['user']}: {told['event']}: not told: {self._settings.command[0]} {problem}")
