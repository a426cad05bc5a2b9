# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Groups with a blank in the name: sshd_policy_info reports the same about their members as sshd, and a login confirms
it."""

from __future__ import annotations

import pytest

from lab.logins import login

pytestmark = pytest.mark.comes_with("blank_group")


def test_members_are_let_in_or_denied(server, keys, gets_in_by_key, gets_in_with_a_token):
    assert gets_in_with_a_token("alice") and gets_in_by_key("bob") and gets_in_by_key("carol")
    assert not login(server, "late", [keys["late"].token()]).allowed
    assert not login(server, "stray").allowed


def test_the_audit_tells_the_same(policy):
    verdicts = {user: one["verdict"] for one in policy()["classes"] for user in one["examples"]}
    assert (verdicts["alice"], verdicts["late"], verdicts["stray"]) == ("asked", "locked_out", "locked_out")
    assert (verdicts["bob"], verdicts["carol"]) == ("not_asked", "not_asked")
    needs = {user: one["needs"] for one in policy()["classes"] for user in one["examples"]}
    assert needs["carol"] == [["publickey"]] and ["password"] in needs["bob"]
