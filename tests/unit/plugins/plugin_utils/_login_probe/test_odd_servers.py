# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What never becomes a login ends in time and is never what was expected."""

from __future__ import annotations

import contextlib
import re
import time

import pytest

from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._login_probe.known_hosts import KnownHosts
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._login_probe.probe import Probe, Prober
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._login_probe.row import ERROR, EXPECTATIONS
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._ssh_totp.used_steps import StepsFolder
from ansible_collections.fleetmfa.ssh.tests.support.odd_servers import OddServer, dead_port

pytest.importorskip("paramiko")
BANNER = b"SSH-2.0-OpenSSH_9.2\r\n"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPKSUTyz1HwHReFVvD5obVsALAgJRNarH4TRpNePnAS"


@pytest.fixture
def row(tmp_path):
    (tmp_path / "known").write_text(f"*,[*]:* {KEY}\n")

    def row_(address="127.0.0.1", port=22, seconds=2.0, expected="denied"):
        prober = Prober(KnownHosts([str(tmp_path / "known")]), StepsFolder(tmp_path / "steps"), seconds)
        return prober.row(Probe("web1", "alice", address, port, "alice", expected, None))

    return row_


@pytest.mark.parametrize("expected", EXPECTATIONS)
@pytest.mark.parametrize(
    ("server", "told"),
    [
        (([b"x1\r\n"], {"again": True}), "no SSH banner within 2 s"),
        (([], {}), "no SSH banner within 2 s"),
        (([BANNER], {}), "no key exchange within 2 s"),
        (([], {"hangs_up": True}), "ended before the SSH banner.*PerSourcePenalties"),
        (([b"Not allowed at this time\r\n"], {"hangs_up": True}), "ended before the SSH banner.*PerSourcePenalties"),
        (([BANNER], {"hangs_up": True}), "ended during the key exchange"),
        (([BANNER, b"\0" * 64], {"again": True}), "key exchange"),
    ],
    ids=["tarpit", "silent", "banner only", "hangs up", "penalised", "banner and end", "no packet"],
)
def test_no_login(row, server, told, expected):
    lines, how = server
    start = time.monotonic()
    with contextlib.closing(OddServer(*lines, **how)) as one:
        found = row(port=one.port, expected=expected)
    assert found.result == ERROR and not found.ok
    assert re.search(told, found.reason), found
    assert time.monotonic() - start < 60, "the limit is 2 s, and a busy machine may take its time"


def test_dead_port(row):
    found = row(port=dead_port())
    assert found.result == ERROR and "Connection refused" in found.reason, found


def test_no_such_name(row):
    found = row(address="no-such-host.invalid")
    assert found.result == ERROR and "no-such-host.invalid has no address" in found.reason, found
