# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What a run and an audit say of exemptions, day by day."""

from __future__ import annotations

import datetime

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit.host_policy import exemption_rows
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.exemption_findings import (
    end_findings,
    reason_findings,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.exemptions import Exemption, exempt_today

LAST = datetime.date(2026, 5, 31)
BOB = Exemption("user", "bob", "hand injury", "ciso", LAST)


def found(findings):
    return [(one.id, *one.evidence) for one in findings]


@pytest.mark.parametrize(
    ("days", "said"),
    [
        (-15, []),
        (-14, [("exemption_ends_soon", "user bob: ends after 2026-05-31, approved by ciso")]),
        (0, [("exemption_ends_soon", "user bob: ends after 2026-05-31, approved by ciso")]),
        (1, [("exemption_expired", "user bob: ended after 2026-05-31, approved by ciso")]),
        (900, [("exemption_expired", "user bob: ended after 2026-05-31, approved by ciso")]),
    ],
)
def test_from_fourteen_days_before_the_last_one(days, said):
    today = LAST + datetime.timedelta(days=days)
    assert found(end_findings([BOB, Exemption("user", "ansible")], {}, today)) == said
    assert exempt_today([BOB], (), today).users == (["bob"] if days <= 0 else [])


def test_who_stays_exempt_is_named_while_the_entry_is_there(accounts):
    after, kept = LAST + datetime.timedelta(days=1), {"bob": "no SSH key", "carol": "another entry"}
    assert found(end_findings([BOB], kept, after))[1:] == [("exemption_not_ended", "bob stays exempt: no SSH key")]
    assert found(end_findings([BOB], kept, LAST))[1:] == []
    assert exempt_today([BOB], kept, after) == (["bob"], [])
    assert exemption_rows([BOB], kept, after) == [
        {
            "kind": "user",
            "name": "bob",
            "reason": "hand injury",
            "approved_by": "ciso",
            "until": "2026-05-31",
            "ended": True,
            "kept": ["bob"],
        }
    ]


def test_a_member_of_a_group_stays_exempt_alone(accounts):
    accounts.add_group("temps", ["bob", "carol"])
    temps = Exemption("group", "temps", until=LAST)
    assert exempt_today([temps], {"bob": "no SSH key"}, LAST + datetime.timedelta(days=1)) == (["bob"], [])


def test_without_reason_or_approver():
    entries = [
        BOB,
        BOB._replace(reason=None),
        BOB._replace(approved_by=None, kind="group"),
        Exemption("user", "ansible"),
    ]
    assert found(reason_findings(entries)) == [
        ("exemption_without_reason", "user bob: no reason"),
        ("exemption_without_reason", "group bob: no approver"),
        ("exemption_without_reason", "user ansible: no reason and no approver"),
    ]
