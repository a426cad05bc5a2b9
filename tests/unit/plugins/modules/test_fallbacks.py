# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A login that the guard let in without a claim in the fleet is a finding for some days, and outlives other records."""

from __future__ import annotations

import time

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.problems import FALLBACK_TOLD
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.key_findings import Enforcement, key_findings
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import EnforcedGroup

DAY = 24 * 3600


def findings(host):
    found = key_findings(host.state_dir, Enforcement(EnforcedGroup(), [], []))
    return [one for one in found if one.id == "claims_fell_back"]


@pytest.fixture
def fell_back(host):
    """fell_back(when) is a record as the guard leaves it."""
    host.totp_key({"user": "alice", "secret": "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", "state": "validated"})

    def write(when):
        path = host.path / "guard" / "alice"
        path.write_text(f"over 1.2 3\nfell_back {when}\nclaimed 58000000\n")
        return path

    return write


def test_no_record_no_finding(host, fell_back):
    assert findings(host) == []


@pytest.mark.parametrize(("age", "told"), [(0, True), (7 * DAY, True), (FALLBACK_TOLD + DAY, False)])
def test_it_is_told_for_some_days(host, fell_back, age, told):
    fell_back(int(time.time()) - age)
    assert bool(findings(host)) == told


def test_who_and_when(host, fell_back):
    when = int(time.time())
    fell_back(when)
    (one,) = findings(host)
    assert one.evidence[0].startswith("alice: let in on a claim on this host alone, last at ")
    assert time.strftime("%H:%M:%S UTC", time.gmtime(when)) in one.evidence[0]


@pytest.mark.parametrize("when", ["", "soon", "-1", "1 2"])
def test_what_is_no_time_is_no_finding(host, fell_back, when):
    fell_back(when)
    assert findings(host) == []


def test_a_claim_of_a_module_keeps_it(host, fell_back):
    when = int(time.time())
    path = fell_back(when)
    with host.state_dir.lock():
        assert host.state_dir.claim_step("alice", 59000000)
    assert f"fell_back {when}\n" in path.read_text() and "claimed 58000000 59000000\n" in path.read_text()
    assert findings(host)
