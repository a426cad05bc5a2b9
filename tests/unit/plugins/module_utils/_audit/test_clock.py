# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The clock: what the kernel says, and a time service that runs."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit import clock as module
from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit.clock import clock, time_service, tolerance
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.key_file import KeyFile, KeySettings

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def test_clock_of_this_machine():
    found = clock()
    assert abs(found["time"] - time.time()) < 60
    assert found["synchronized"] in (True, False, None)


class Kernel:
    """adjtimex(2) that says so."""

    def __init__(self, state, most_microseconds_off):
        self.state, self.off = state, most_microseconds_off

    def CDLL(self, _name):
        return self

    def adjtimex(self, told):
        assert told._obj.modes == 0, "must only read"
        told._obj.maxerror = self.off
        return self.state


@pytest.mark.parametrize(
    ("state", "off", "synchronized"),
    [(0, 300_000, True), (5, 16_000_000, False), (0, 16_000_000, False), (-1, 0, None)],
)
def test_synchronized(monkeypatch, state, off, synchronized):
    kernel = Kernel(state, off)
    monkeypatch.setattr(module.ctypes, "CDLL", kernel.CDLL)
    assert clock()["synchronized"] is synchronized


def test_time_service(tmp_path):
    """A process of that name; of others, and of none, nothing."""
    program = tmp_path / "chronyd"
    program.write_text("#!/bin/sh\nread -r line\n")
    program.chmod(0o755)
    with subprocess.Popen([program], stdin=subprocess.PIPE) as running:
        deadline = time.monotonic() + 60
        while Path(f"/proc/{running.pid}/comm").read_text() != "chronyd\n":
            assert time.monotonic() < deadline
            time.sleep(0.01)
        proc = tmp_path / "proc"
        proc.mkdir()
        (proc / str(running.pid)).symlink_to(f"/proc/{running.pid}")
        assert time_service(str(proc)) == "chrony"
        running.stdin.close()
        running.wait()
    assert time_service(str(proc)) == ""


@pytest.mark.parametrize(
    ("windows", "expected"), [([], None), ([3], 30), ([1], 0), ([4], 30), ([17, 5], 60), ([17, 1], 0)]
)
def test_how_far_off_a_clock_may_be(windows, expected):
    """An even window reaches one step less into the past, which is where tokens are from if the clock is ahead."""
    keys = [KeyFile.create(SECRET, KeySettings(window=window), "lab", "alice", (), 0) for window in windows]
    assert tolerance(keys) == expected
