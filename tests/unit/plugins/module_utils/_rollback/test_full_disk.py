# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A roll-out that runs out of room, at each point where it can: the old files are as they were."""

from __future__ import annotations

import resource
import signal
from pathlib import Path

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.files import FileChange
from ansible_collections.fleetmfa.ssh.tests.support.folder_host import (
    ROLLOUT_ID,
    FolderHost,
)


def fill(disk: Path) -> None:
    """Not a byte is left."""
    with (disk / "filler").open("ab", buffering=0) as filler:
        for size in (4096, 1):
            try:
                while filler.write(b"x" * size):
                    pass
            except OSError:
                continue


def test_disk_full_from_the_start(tiny_disk):
    host = FolderHost(tiny_disk)
    fill(tiny_disk)
    with pytest.raises((FleetMfaError, OSError)), host.rollout.lock():
        host.rollout.start(ROLLOUT_ID, [FileChange(str(host.etc / "pam.d/sshd"), b"new\n")], 60, sshd=None)
    assert host.is_as_before
    assert not host.rollout.folder.armed.exists()


def test_disk_full_after_half_of_the_changes(tiny_disk):
    host = FolderHost(tiny_disk)
    changes = [
        FileChange(str(host.etc / "pam.d/sshd"), b"new\n"),
        FileChange(str(host.etc / "ssh/00.conf"), b"x" * 200_000),
    ]
    with host.rollout.lock(), pytest.raises(FleetMfaError, match="No space left.*the old configuration is restored"):
        host.rollout.start(ROLLOUT_ID, changes, 60, sshd=None)
    assert host.is_as_before


def test_disk_full_when_the_time_is_up(tiny_disk):
    host = FolderHost(tiny_disk)
    assert host.run().returncode == 0
    fill(tiny_disk)
    assert host.is_applied
    host.time_is_up()
    assert host.is_as_before
    assert host.rollout.earlier()["outcome"] == "rolled_back"


def test_file_size_limit_leaves_the_old_files(host):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    changes = [
        FileChange(str(host.etc / "pam.d/sshd"), b"new\n"),
        FileChange(str(host.etc / "ssh/00.conf"), b"x" * 2_000_000),
    ]
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
    try:
        with host.rollout.lock(), pytest.raises(FleetMfaError, match="too large.*the old configuration is restored"):
            host.rollout.start(ROLLOUT_ID, changes, 60, sshd=None)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert host.is_as_before
