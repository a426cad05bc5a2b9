# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What is on record about a roll-out, as JSON beside its copies of the files. Private to the collection."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypedDict

from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.file_attributes import AttributesRecord


class SshdToReload(TypedDict):
    """The sshd that has to read its configuration again; None is the usual one."""

    config: str | None
    binary: str | None


class Members(TypedDict):
    """Users whom a roll-out makes members of a group, and its roll-back takes out again."""

    group: str
    users: list[str]


class Caller(NamedTuple):
    """The controller that is to confirm a roll-out: who it is, and how many seconds its new login is given."""

    controller: str = ""
    login_seconds: int = 0


NOBODY = Caller()


class CopiedFile(TypedDict, total=False):
    """A file before it was changed."""

    path: str
    copy: str | None  # the name of its copy; None if there was no file
    own_folder: bool
    attributes: AttributesRecord  # owner, mode, extended attributes; not there if there was no file


class _FromTheStart(TypedDict):
    id: str
    started: float  # seconds since the epoch, as all times here
    deadline: float
    sshd: SshdToReload | None  # None if no sshd has to be reloaded
    sshd_units: list[str]  # those that were active


class Facts(_FromTheStart, total=False):
    """A roll-out; how it ended is added then."""

    files: list[CopiedFile]
    joining: Members | None
    controller: str  # whose it is
    login_seconds: int  # how long its controller may be at work, from the start on
    reason: str
    ended: float


class EarlierRollout(TypedDict, total=False):
    """What a run tells of a roll-out before it that was not confirmed (return value `earlier_rollout`)."""

    id: str
    outcome: Literal["rolled_back", "waiting", "interrupted"]
    started: str  # a time as the result has it: UTC, ISO 8601
    deadline: str
    controller: str
    reason: str
    ended: str


class Began(TypedDict):
    """What a run tells of a roll-out that waits to be confirmed."""

    rollback_by: str
    rollback_at: str
