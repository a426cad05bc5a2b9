# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Playbooks sync, revoke, recover and status for somebody with two devices, as an operator runs them."""

from __future__ import annotations

import json
import stat

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.second_keys import SecondKeys
from ansible_collections.fleetmfa.ssh.tests.support.people import secret

WHY = {"mfa_reason": "called back at extension 4711"}


@pytest.fixture
def fleet(hosts, preparation):
    """Alice's phone and tablet are validated on web1; then all hosts are synced."""
    hosts.variables["mfa_second_device"] = True
    return preparation.of(hosts, two_devices_everywhere)


def two_devices_everywhere(fleet):
    fleet.validated("web1", "alice", "one")
    fleet.validated_second("web1", "alice", "tablet", "two")
    fleet.sync("--diff", "-vvv")


def seconds(fleet):
    return {name: SecondKeys(state).validated("alice") for name, state in fleet.state.items()}


@pytest.mark.release
def test_one_device_is_revoked_and_status_counts(fleet, tmp_path):
    assert seconds(fleet)["web2"].secret_text == secret("two")
    assert "changed=1" not in fleet.sync()
    told = tmp_path / "status.json"
    assert "DEVICES" in fleet.play("fleetmfa.ssh.status")
    fleet.play("fleetmfa.ssh.status", mfa_status_json=str(told))
    users = [one for host in json.loads(told.read_text())["hosts"] for one in host["users"] if one["user"] == "alice"]
    assert [one["devices"] for one in users] == [["first", "tablet"]] * 2
    checked = fleet.play(
        "fleetmfa.ssh.revoke", "--check", "--diff", mfa_revoke_users="alice", mfa_revoke_device="tablet", **WHY
    )
    assert "alice: second device tablet revoked" in checked and seconds(fleet)["web2"]
    fleet.play("fleetmfa.ssh.revoke", "--diff", "-vvv", mfa_revoke_users="alice", mfa_revoke_device="tablet", **WHY)
    assert set(seconds(fleet).values()) == {None}
    for state in fleet.state.values():
        assert state.validated("alice").secret_text == secret("one")
    assert WHY["mfa_reason"] in {event.reason for event in fleet.store.read()["alice"].history}


@pytest.mark.release
def test_a_new_key_for_a_device(fleet, tmp_path):
    sheet = tmp_path / "alice.html"
    options = {"mfa_recover_user": "alice", "mfa_recover_device": "tablet", "mfa_recover_file": str(sheet), **WHY}
    output = fleet.play("fleetmfa.ssh.recover", "--diff", "-vvv", **options)
    new = fleet.store.read()["alice"].second.pending
    assert new.secret not in output and new.secret[:4] in sheet.read_text() and "tablet" in sheet.read_text()
    assert stat.S_IMODE(sheet.stat().st_mode) == 0o600
    for state in fleet.state.values():
        assert SecondKeys(state).pending("alice").secret_text == new.secret
        assert SecondKeys(state).validated("alice") is None
        assert state.validated("alice").secret_text == secret("one")
    sheet.unlink()
    again = fleet.play("fleetmfa.ssh.recover", **options)
    assert "changed=1" not in again and new.secret[:4] in sheet.read_text()


@pytest.mark.release
@pytest.mark.parametrize(
    ("playbook", "options", "told"),
    [
        (
            "revoke",
            {"mfa_revoke_users": "alice", "mfa_revoke_device": ""},
            "mfa_revoke_device: device: must be a short name",
        ),
        (
            "revoke",
            {"mfa_revoke_users": "alice", "mfa_revoke_device": None},
            "mfa_revoke_device: must be the name of a device",
        ),
        ("revoke", {"mfa_revoke_users": "alice", "mfa_revoke_device": "tabelt"}, "the devices are first, tablet"),
        ("revoke", {"mfa_revoke_users": "alice,bob", "mfa_revoke_device": "tablet"}, "users: name one person only"),
        ("revoke", {"mfa_revoke_users": "carol", "mfa_revoke_device": "tablet"}, "has no record in the key store"),
        ("recover", {"mfa_recover_user": "alice", "mfa_recover_device": "first"}, "first is the first device of alice"),
        (
            "recover",
            {"mfa_recover_user": "alice", "mfa_recover_device": "tablet", "mfa_recover_mode": "help_desk_code"},
            "device: is for revoke and new_key only",
        ),
    ],
    ids=["empty", "null", "typing error", "two people", "nobody", "first", "mode"],
)
def test_refused_before_anything_is_changed(fleet, tmp_path, playbook, options, told):
    file = {"mfa_recover_file": str(tmp_path / "sheet.html")} if playbook == "recover" else {}
    before = fleet.store.read()
    output = fleet.play(f"fleetmfa.ssh.{playbook}", ok=False, **options, **file, **WHY)
    assert told in " ".join(output.split())
    assert fleet.store.read() == before and not list(tmp_path.glob("sheet*"))
