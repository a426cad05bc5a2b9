# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Module claim_store_info asks a real cluster what a login would ask it."""

from __future__ import annotations

import signal

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._claims.check import check_members, require_private
from ansible_collections.fleetmfa.ssh.plugins.module_utils._claims.settings import ClaimSettings
from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.tests.support.certificates import Authority


def settings(cluster, **changed):
    values = {
        "endpoints": " ".join(cluster.endpoints),
        "ca": str(cluster.authority.path),
        "cert": str(cluster.client.cert),
        "key": str(cluster.client.key),
        "prefix": "/fleetmfa/claims/",
        "timeout": "10",
    }
    return ClaimSettings({**values, **changed})


def test_every_member_answers(cluster):
    members = check_members(settings(cluster))
    assert [member["endpoint"] for member in members] == cluster.endpoints
    assert [member["problem"] for member in members] == ["", "", ""]


def test_what_it_leaves_behind_is_forgotten(cluster):
    before = cluster.keys()
    check_members(settings(cluster))
    found = cluster.members[0].post("/v3/kv/range", {"key": "AA==", "range_end": "AA=="})["kvs"]
    new = [one for one in found if one["key"] not in before]
    assert len(new) == 3 and all(one.get("lease") for one in new)


def test_a_member_is_dead_and_one_has_no_majority(own_cluster):
    dead, alone, stopped = own_cluster.members
    dead.kill()
    stopped.send(signal.SIGSTOP)
    members = check_members(settings(own_cluster, timeout="2"))
    stopped.send(signal.SIGCONT)
    problems = [member["problem"] for member in members]
    assert "refused" in problems[0] and all(problems)
    assert dead.endpoint in problems[0] and alone.endpoint in problems[1]


def test_the_files_of_this_host_cannot_be_used(cluster, tmp_path):
    with pytest.raises(FleetMfaError, match="the CA /nonexistent cannot be used"):
        check_members(settings(cluster, ca="/nonexistent"))
    another = Authority(tmp_path, "another").issue("client")
    with pytest.raises(FleetMfaError, match="the certificate .* cannot be used"):
        check_members(settings(cluster, cert=str(another.cert)))


def test_a_private_key(cluster):
    cluster.client.key.chmod(0o600)
    require_private(str(cluster.client.key))
    cluster.client.key.chmod(0o640)
    with pytest.raises(FleetMfaError, match="others than root can read"):
        require_private(str(cluster.client.key))
    cluster.client.key.chmod(0o600)
