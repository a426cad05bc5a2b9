# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""mfa_key_max_age: which keys are too old, of every device, and which of them a run has replaced."""

from __future__ import annotations

import pytest

from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.batch import Batch
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.device_lifecycle import revoked_device
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.lifecycle import By, Rotation, revoked
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.person import Proven
from ansible_collections.fleetmfa.ssh.tests.support.collected_hosts import collected
from ansible_collections.fleetmfa.ssh.tests.support.people import START, device, key, person

DAY = 86400
NOW = START + 400 * DAY
RULE = Rotation(365, NOW, "controller")
OLD, NEW = {"validated": Proven(START, "web1")}, {"validated": Proven(NOW - 365 * DAY, "web1")}


def too_old(record, rule=RULE):
    return [finding.evidence[0].partition(": ")[0] for finding in rule.too_old([record])]


def alice(phone, tablet):
    return person(key("phone", **phone), devices={"tablet": device(key("tablet", **tablet))})


@pytest.mark.parametrize(
    ("phone", "tablet", "found"),
    [
        (OLD, OLD, ["alice, device first", "alice, device tablet"]),
        (NEW, OLD, ["alice, device tablet"]),
        (OLD, NEW, ["alice, device first"]),
        (NEW, NEW, []),
        (NEW, {}, []),  # pending
        ({}, OLD, []),  # lets in nobody: there is no validated first key beside it
    ],
)
def test_every_key_that_counts(phone, tablet, found):
    assert too_old(alice(phone, tablet)) == found


def test_no_limit_and_dead_keys():
    by = By(NOW, "operator", "left")
    assert too_old(alice(OLD, OLD), Rotation(0, NOW, "controller")) == []
    assert too_old(revoked(alice(OLD, OLD), by)) == []
    assert too_old(revoked_device(alice(NEW, OLD), "tablet", by)) == []


def test_a_device_that_became_the_first_keeps_its_name():
    promoted = revoked_device(alice(OLD, OLD), "first", By(NOW, "operator", "lost"))
    assert too_old(promoted) == ["alice, device tablet"]


def test_a_sync_tells_each_time_and_replaces_the_first_key_only(open_file):
    store = open_file()
    store.change(["alice"], lambda _person: alice(OLD, OLD))
    for _run in range(2):
        done = Batch(store, [collected("web1"), collected("web2")], RULE).merge(check_mode=False)
        told = [finding for finding in done.findings if finding.id == "key_old"]
        assert [one.evidence[0].partition(": ")[0] for one in told] == ["alice, device first", "alice, device tablet"]
        assert "more than 365 days ago" in told[1].evidence[0]
    assert store.read()["alice"].is_to_be_rotated
