# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import Iterator

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._system import systemd
from ansible_collections.fleetmfa.ssh.tests.support.folder_host import ROOT, FolderHost


@pytest.fixture(autouse=True)
def _no_systemd(monkeypatch):
    monkeypatch.setattr(systemd, "is_running", lambda: False)


@pytest.fixture
def host(tmp_path):
    host = FolderHost(tmp_path)
    yield host
    for process in host.timers():
        os.kill(process, signal.SIGKILL)


@pytest.fixture
def other_disk(tmp_path):
    """A file system for the state directory that has no user attributes."""
    yield from _mounted(tmp_path / "var", "mount -t ramfs ramfs {0}")


@pytest.fixture
def tiny_disk(tmp_path):
    yield from _mounted(tmp_path / "disk", "mount -t tmpfs -o size=96k tmpfs {0}")


def _mounted(disk: Path, command: str) -> Iterator[Path]:
    disk.mkdir()
    if not ROOT or subprocess.run(command.format(disk).split(), check=False).returncode:
        pytest.skip("cannot mount a file system here")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)
