# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Whom sshd shuts out after failed logins, and a drop-in that exempts addresses from that."""

from __future__ import annotations

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._findings import FindingsError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.audit import Audit
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.penalties import only_exempts_more, penalty_findings
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.plan import Surroundings, plan_sshd_totp
from ansible_collections.fleetmfa.ssh.tests.support.penalised_sshd import (
    DEFAULT_PENALTIES,
    on_command_line,
    penalise,
)
from ansible_collections.fleetmfa.ssh.tests.support.sshd_host import ALICE, BOB, DEBIAN, POLICY, SshdHost, needs_sshd

pytestmark = needs_sshd
SURROUNDINGS = Surroundings(lambda config, group: [ALICE, BOB], lambda config: [])
KEYWORD = "persourcepenaltyexemptlist"


@pytest.fixture
def host(tmp_path):
    host = SshdHost(tmp_path)
    penalise(host)
    return host


def penalised(host, address):
    report = Audit(host.audit_wish(connecting_address=address), SURROUNDINGS, lambda *_: []).report()
    assert "sshd_config_invalid" not in {one["id"] for one in report["findings"]}, report["findings"]
    return [one["evidence"] for one in report["findings"] if one["id"] == "sshd_penalties_not_exempt"]


@pytest.mark.parametrize(
    ("exempt", "address", "found"),
    [
        ("none", "192.0.2.10", True),
        ("192.0.2.10", "192.0.2.10", False),
        ("192.0.2.11", "192.0.2.10", True),
        ("198.51.100.0/24,192.0.2.0/24", "192.0.2.10", False),
        ("192.0.2.*", "192.0.2.10", False),
        ("!192.0.2.10,192.0.2.0/24", "192.0.2.10", True),
        ("2001:db8::/64", "2001:db8::5", False),
        ("192.0.2.0/24", "2001:db8::5", True),
        ("none", "", True),
        ("192.0.2.10", "", False),
    ],
)
def test_the_controller_is_exempt_or_not(exempt, address, found):
    settings = {"persourcepenalties": [DEFAULT_PENALTIES], KEYWORD: [exempt]}
    findings = list(penalty_findings(settings, address))
    assert bool(findings) == found
    assert all(exempt in str(one.evidence) and address in str(one.evidence) for one in findings)


@pytest.mark.parametrize("penalties", ["no", "crash:90 authfail:0", "crash:90 authfail:0.000000 max:600", None])
def test_failed_logins_that_are_not_penalised(penalties):
    settings = {} if penalties is None else {"persourcepenalties": [penalties], KEYWORD: ["none"]}
    assert not list(penalty_findings(settings, "192.0.2.10"))


def test_audit_asks_sshd(host):
    host.write(DEBIAN, {"00-fleetmfa.conf": POLICY})
    [[said]] = penalised(host, "192.0.2.10")
    assert "192.0.2.10, which this run connects from" in said and "authfail" not in said
    host.write(DEBIAN, {"00-fleetmfa.conf": "PerSourcePenaltyExemptList 192.0.2.0/24\n" + POLICY})
    assert not penalised(host, "192.0.2.10") and penalised(host, "198.51.100.1")
    host.write("PerSourcePenalties no\n" + DEBIAN, {"00-fleetmfa.conf": POLICY})
    assert not penalised(host, "192.0.2.10")


def test_host_without_a_policy_has_no_finding(host):
    host.write()
    report = Audit(host.audit_wish(), Surroundings(lambda *_: [BOB], lambda config: []), lambda *_: []).report()
    assert "sshd_penalties_not_exempt" not in {one["id"] for one in report["findings"]}
    assert report["baseline"][KEYWORD] == "none"


def test_dropin_that_exempts_more_is_planned(host):
    host.write("PerSourcePenaltyExemptList 10.0.0.1\n" + DEBIAN)
    content = "PerSourcePenaltyExemptList 10.0.0.1,192.0.2.10\n" + POLICY
    changes, _sshd = plan_sshd_totp(host.wish(content=content), SURROUNDINGS)
    assert [change.path for change in changes] == [str(host.path), str(host.config)], (
        "the Include comes before that line"
    )


@pytest.mark.parametrize("exempt", ["192.0.2.10", "10.0.0.1,!192.0.2.10", "none"])
def test_dropin_that_takes_an_exemption_away_is_refused(host, exempt):
    host.write("PerSourcePenaltyExemptList 10.0.0.1\n" + DEBIAN)
    with pytest.raises(FindingsError) as refused:
        plan_sshd_totp(host.wish(content=f"PerSourcePenaltyExemptList {exempt}\n{POLICY}"), SURROUNDINGS)
    assert {one.id for one in refused.value.findings} == {"sshd_changes_others"}


def test_list_that_sshd_does_not_take_is_refused(host):
    """sshd has another one on its command line, which comes before every file."""
    host.write()
    on_command_line(host, "PerSourcePenaltyExemptList=10.0.0.9")
    with pytest.raises(FindingsError) as refused:
        plan_sshd_totp(host.wish(content="PerSourcePenaltyExemptList 192.0.2.10\n" + POLICY), SURROUNDINGS)
    assert "persourcepenaltyexemptlist would be `10.0.0.9`, not `192.0.2.10`" in str(refused.value.findings)


def test_only_this_keyword_may_change_for_others():
    assert only_exempts_more(KEYWORD, "none", "10.0.0.1") and only_exempts_more(
        KEYWORD, "10.0.0.1", "10.0.0.1,10.0.0.2"
    )
    assert not only_exempts_more("persourcepenalties", "none", "10.0.0.1")
