# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""%team in a list of users means the same to every module, to the deadline and to the enrollment service."""

from __future__ import annotations

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.sealed import new_seal
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.selection import is_selected, selected_users

EVERYBODY = ["alice", "bob", "carol"]


@pytest.fixture(autouse=True)
def team(accounts):
    accounts.add_group("team", ["alice", "bob"])


def users_of(result):
    return [one["user"] for one in result["users"]]


def test_members_get_keys(host):
    result = host.four_steps("totp_key", users=["%team", "carol"])
    assert sorted(users_of(result)) == EVERYBODY and [host.keys(user) for user in EVERYBODY] == ["p"] * 3


def test_a_primary_group(host):
    assert users_of(host.totp_key(users=["%carol"])) == ["carol"]


def test_exempt_members_get_none(host):
    assert users_of(host.totp_key(users=["%team"], exempt_users=["bob"])) == ["alice"]


def test_a_member_with_an_entry_is_managed_by_it(host):
    result = host.totp_key({"user": "alice", "issuer": "Ours"}, users=["%team", "bob"], human_accounts=True)
    assert sorted(users_of(result)) == EVERYBODY
    assert host.state_dir.pending("alice").issuer == "Ours"


@pytest.mark.parametrize(("module", "option"), [("totp_key", "unknown_users"), ("totp_key_collect", "unknown_groups")])
def test_an_unknown_group(host, module, option):
    given = {"users": ["alice", "%tema"], "seal": new_seal()} if module == "totp_key_collect" else {}
    given = given or {"users": ["alice", "%tema"]}
    before = host.snapshot()
    refused = host.run(module, **given)
    assert refused["failed"] and "users, entry 2: there is no group 'tema' on this host" in refused["msg"]
    assert f"set {option} (mfa_unknown_users of the role) to skip" in refused["msg"] and host.snapshot() == before
    assert not host.run(module, **given, **{option: "skip"}).get("failed")


def test_who_is_selected_one_by_one_and_all_together():
    for users in (["%team"], ["%team", "carol"], ["%carol"], ["%tema"], ["BOB"], []):
        listed = {one.name for one in selected_users(users)}
        assert {user for user in EVERYBODY if is_selected(user, users)} == listed & set(EVERYBODY), users
