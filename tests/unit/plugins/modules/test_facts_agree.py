# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""UserFacts about a user that have to agree, in every combination and in both directions."""

from __future__ import annotations

import itertools
import re
import subprocess
from pathlib import Path

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._findings import CATALOGUE
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.agreement import UserFacts, disagreements
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.key_findings import Enforcement, key_findings
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import EnforcedGroup

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def ids(facts):
    return {found.id for found in disagreements(facts, "mfa-enforced")}


def test_every_combination():
    """Written anew, from the promise: enforced is who is validated and not exempt; nobody is released unnoticed."""
    for values in itertools.product((False, True), repeat=6):
        facts = UserFacts(*values)
        found = ids(facts)
        if not facts.account:
            assert found == ({"member_without_account"} if facts.member else set())
            continue
        assert ("exempt_member" in found) == (facts.exempt and facts.member)
        assert ("key_missing" in found) == (facts.member and not facts.validated)
        assert ("validated_not_member" in found) == (facts.validated and not facts.member and not facts.exempt)
        lost = facts.pending and not facts.validated and facts.was_asked
        assert ("member_released" in found) == (lost and not facts.member and not facts.exempt)
        assert found or facts.member == (facts.validated and not facts.exempt)
        assert found <= set(CATALOGUE)


def alter(*command):
    return lambda host: subprocess.run(command, check=True, capture_output=True)


def lose_key(host):
    host.path.joinpath("keys", "alice").unlink()


def release(host):
    host.path.joinpath("guard", "alice").write_text("claimed 1\n")
    host.path.joinpath("keys", "alice").rename(host.path / "pending" / "alice")
    alter("gpasswd", "-d", "alice", "mfa-enforced")(host)


# One side of each pair is changed by somebody else; alice is validated and enforced before.
CHANGES = {
    "the key is lost": (lose_key, {}, {"key_missing"}),
    "the member is lost": (alter("gpasswd", "-d", "alice", "mfa-enforced"), {}, {"validated_not_member"}),
    "the group is lost": (alter("groupdel", "mfa-enforced"), {}, {"validated_not_member"}),
    "exempt now": (lambda host: None, {"exempt_users": ["alice"]}, {"exempt_member"}),
    "exempt by a group": (lambda host: None, {"exempt_groups": ["alice"]}, {"exempt_member"}),
    "the account is gone": (lambda host: host.accounts.remove("alice"), {}, {"member_without_account"}),
    "released by 0.1.0": (release, {}, {"member_released"}),
    "nothing": (lambda host: None, {}, set()),
}


@pytest.mark.parametrize("change", CHANGES)
def test_both_reports_have_it(host, change):
    make, exempt, wanted = CHANGES[change]
    host.totp_key({"user": "alice", "secret": SECRET, "state": "validated"})
    make(host)
    problems = host.run("totp_key_info", users=["alice"], **exempt)["users"][0]["problems"]
    assert {problem["id"] for problem in problems} - {"key_origin_unknown"} == wanted
    names = {"exempt_users": [], **exempt}.get("exempt_users") or ["alice"] * bool(exempt)
    enforcement = Enforcement(EnforcedGroup(), [], names)
    found = {finding.id for finding in key_findings(host.state_dir, enforcement)}
    assert found - {"key_origin_unknown"} == wanted


def test_the_table_of_pairs_names_each():
    table = Path(__file__).parents[4].joinpath("docs", "lost_keys.md").read_text()
    known = {found for values in itertools.product((False, True), repeat=6) for found in ids(UserFacts(*values))}
    assert known <= set(re.findall(r"`(\w+)`", table))
