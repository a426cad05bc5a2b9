# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The description of a roll-out, stored as JSON next to its copies of the files. Private to the collection."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypedDict

from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.file_attributes import AttributesRecord


class SshdToReload(TypedDict):
    """The sshd that must read its configuration again; None stands for the usual one."""

    config: str | None
    binary: str | None


class Members(TypedDict):
    """Users whom a roll-out adds to a group, and whom its roll-back removes again."""

    group: str
    users: list[str]


class Caller(NamedTuple):
    """The controller that will confirm a roll-out: its name, and the number of seconds that its new login may take."""

    controller: str = ""
    login_seconds: int = 0


NOBODY = Caller()


class CopiedFile(TypedDict, total=False):
    """A file before it was changed."""

    path: str
    copy: str | None  # the name of its copy; None if there was no file
    own_folder: bool
    attributes: AttributesRecord  # owner, mode, extended attributes; missing if there was no file


class _FromTheStart(TypedDict):
    id: str
    started: float  # seconds since the epoch, like all times here
    deadline: float
    sshd: SshdToReload | None  # None if no sshd must be reloaded
    sshd_units: list[str]  # the active ones


class RolloutFacts(_FromTheStart, total=False):
    """A roll-out; the way it ended is added when it ends."""

    files: list[CopiedFile]
    joining: Members | None
    controller: str  # who started it
    login_seconds: int  # how long its controller may work on it, from the start
    reason: str
    ended: float


class EarlierRollout(TypedDict, total=False):
    """What a run reports about an earlier, unconfirmed roll-out (return value `earlier_rollout`)."""

    id: str
    outcome: Literal["rolled_back", "waiting", "interrupted"]
    started: str  # times in results: UTC, ISO 8601
    deadline: str
    controller: str
    reason: str
    ended: str


class Began(TypedDict):
    """What a run reports about a roll-out that waits for confirmation."""

    rollback_by: str
    rollback_at: str
