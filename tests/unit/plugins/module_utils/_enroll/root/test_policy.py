# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The role's template and the program that reads what it renders are held together here."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.root.policy import read_policy
from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError


def test_defaults(render):
    policy = read_policy(render())
    assert policy.users is None and policy.exempt_users == [] and policy.enrollment_start is None
    assert (policy.state_dir, policy.group, policy.overdue_group) == (
        "/var/lib/fleetmfa",
        "mfa-enforced",
        "mfa-overdue",
    )
    assert (policy.issuer, policy.period, policy.window, policy.recovery_codes) == ("SSH", 30, 3, 5)


def test_every_value_arrives(render):
    policy = read_policy(
        render(
            mfa_users=["alice", "Bob"],
            mfa_exempt_users=["deploy"],
            mfa__sshd={"cannot_answer": ["ansible", "deploy"]},
            mfa_exempt_groups=["domain admins"],
            mfa_issuer="Example: 100 % = ours",
            mfa_enrollment_start="2026-03-01",
            mfa_enrollment_overdue="enroll_only",
            mfa_enrollment_extensions={"users": {"Bob": 14}, "groups": {"domain users": 30}},
        )
    )
    assert policy.users == ["alice", "Bob"]
    assert policy.exempt_users == ["deploy"] and policy.exempt_groups == ["domain admins"]
    assert policy.users_left_alone == ["deploy", "ansible", "deploy"]
    assert policy.issuer == "Example: 100 % = ours"
    assert policy.enrollment_start.isoformat() == "2026-03-01" and policy.enrollment_overdue == "enroll_only"
    assert policy.user_extensions == {"Bob": 14} and policy.group_extensions == {"domain users": 30}


def test_a_policy_of_0_1_0(render):
    path = Path(render(mfa_exempt_users=["deploy"], mfa__sshd={"cannot_answer": ["ansible"]}))
    old = path.read_text().replace("# The account that Ansible", "#").replace("connecting_users =\n", "")
    path.write_text(old)
    assert read_policy(str(path)).users_left_alone == ["deploy", "ansible"]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"mfa_enrollment_start": "31.3.2026"}, "start is '31.3.2026'"),
        ({"mfa_enrollment_days": 0}, "days is '0'; it must be a number from 1 to 365"),
        ({"mfa_enrollment_days": 366}, "days is '366'"),
        ({"mfa_enrollment_overdue": "shoot"}, "overdue is 'shoot'; it must be one of allow, enroll_only, deny"),
        ({"mfa_enrollment_extensions": {"users": {"bob": "many"}}}, "bob is 'many'"),
        ({"mfa_recovery_codes": 101}, "recovery_codes is '101'; it must be a number from 0 to 100"),
        ({"mfa_issuer": "x\n[host]"}, "cannot be read as an enrollment policy"),
    ],
)
def test_a_wrong_value_is_named(render, changed, told):
    path = render(**changed)
    with pytest.raises(FleetMfaError) as error:
        read_policy(path)
    assert told in str(error.value) and path in str(error.value)


def test_a_missing_policy_says_what_to_do(tmp_path):
    with pytest.raises(FleetMfaError, match="is missing; run the role"):
        read_policy(str(tmp_path / "none"))


def test_binary_is_no_policy(tmp_path):
    path = tmp_path / "policy.conf"
    path.write_bytes(b"\x00\xff\xfe")
    with pytest.raises(FleetMfaError, match="cannot be read"):
        read_policy(str(path))


def test_the_longest_extension_counts(render, accounts):
    accounts.add_group("contractors", ["alice"])
    policy = read_policy(
        render(mfa_enrollment_extensions={"users": {"alice": 3, "bob": 5}, "groups": {"contractors": 10, "ghosts": 90}})
    )
    days = {
        user: (p.deadline - p.start).days for user in ("alice", "bob", "carol") for p in [policy.period_of(user, 0.0)]
    }
    assert days == {"alice": 17, "bob": 12, "carol": 7}
