# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Published pairs of sshd_config and PAM service: real logins judge the verdict of the audit, in both directions."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.probe import find_module
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.prompts import TOKEN
from ansible_collections.fleetmfa.ssh.tests.support.factor_logins import FACTORS
from ansible_collections.fleetmfa.ssh.tests.support.pair_host import PAIRS, PairHost
from ansible_collections.fleetmfa.ssh.tests.support.pair_page import page
from ansible_collections.fleetmfa.ssh.tests.support.sshd_host import needs_sshd

ROOT = Path(__file__).parents[5]
needs_pam = pytest.mark.skipif(
    not all(map(find_module, ("pam_google_authenticator.so", "pam_oath.so"))),
    reason="needs libpam-google-authenticator and libpam-oath",
)


@pytest.fixture
def start(accounts, tmp_path):
    started = []

    def start(pair):
        started.append(PairHost(accounts, tmp_path, pair))
        return started[0]

    yield start
    for host in started:
        host.stop()


def sets_that_get_in(host):
    """The smallest sets of factors that let alice in."""
    found = []
    for count in range(len(FACTORS) + 1):
        for factors in map(frozenset, itertools.combinations(FACTORS, count)):
            if not any(smaller <= factors for smaller in found) and host.logins.get_in(factors):
                found.append(factors)
    return found


def shown_by(logins, enforced):
    if not logins:
        return "locked_out"
    if all(TOKEN in factors for factors in logins):
        return "asked"
    return "can_bypass" if enforced else "not_asked"


@needs_sshd
@needs_pam
@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair["pair"])
def test_logins_show_what_the_verdict_says(start, pair):
    host = start(pair)
    found = host.audited()
    assert found["verdict"] == pair["verdict"]
    logins = sets_that_get_in(host)
    assert logins == [frozenset(factors) for factors in pair["in_with"]]
    assert shown_by(logins, pair.get("enforced", True)) == pair["verdict"]
    assert bool(found["counterexample"]) == (pair["verdict"] == "can_bypass")
    assert bool(found["reason"]) == (pair["verdict"] == "locked_out")
    if found["counterexample"]:
        assert not {step["answer"] for step in found["counterexample"]} & {TOKEN}
        assert host.logins.replay(found["counterexample"])


def test_there_are_enough_pairs_of_each_kind():
    assert len([pair for pair in PAIRS if "seen" in pair]) >= 20
    said = [pair["verdict"] for pair in PAIRS]
    assert all(said.count(verdict) >= 2 for verdict in ("asked", "not_asked", "can_bypass", "locked_out"))


def test_the_page_is_current():
    text = (ROOT / "docs" / "verdict_pairs.md").read_text(encoding="utf-8")
    assert text == page(), "run tests/support/pair_page.py > docs/verdict_pairs.md"
