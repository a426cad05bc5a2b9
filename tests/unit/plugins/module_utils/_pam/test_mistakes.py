# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.fleetmfa.ssh.tests.support import pam_mistakes

ROOT = Path(__file__).parents[5]


MISTAKES = pam_mistakes.DATA["mistakes"]


@pytest.mark.parametrize("mistake", MISTAKES, ids=[entry["mistake"] for entry in MISTAKES])
def test_the_prover_finds_the_mistake(mistake):
    verdict = pam_mistakes.verdict_of(mistake)
    assert pam_mistakes.name_of(verdict) == mistake["verdict"], verdict.explain()
    assert verdict.counterexample or mistake["verdict"] == "no password"
    assert verdict.unknown_modules == []


def test_there_are_enough_of_them():
    assert len(MISTAKES) >= 15


def test_the_page_says_what_the_prover_says():
    page = (ROOT / "docs" / "pam_mistakes.md").read_text(encoding="utf-8")
    assert page == pam_mistakes.page(), "run tests/support/pam_mistakes.py > docs/pam_mistakes.md"


GOOD = {
    "token, then password": "auth requisite pam_google_authenticator.so\n@include common-auth\n",
    "password, then token": "@include common-auth\nauth required pam_google_authenticator.so\n",
    "RHEL's substack": "auth substack password-auth\nauth required pam_google_authenticator.so\n",
    "a gate": (
        "auth [success=ignore auth_err=1 default=die] pam_succeed_if.so quiet user ingroup mfa\n"
        "auth requisite pam_google_authenticator.so\n@include common-auth\n"
    ),
}


@pytest.mark.parametrize("stack", GOOD.values(), ids=GOOD.keys())
def test_a_correct_stack_has_no_verdict_against_it(stack):
    verdict = pam_mistakes.verdict_of({"stack": stack, "who": {"member_of": ["mfa"], "has_key": True}})
    assert pam_mistakes.name_of(verdict) == "sound", verdict.explain()
    assert verdict.token_asked_when_it_succeeds == "always"
    assert verdict.counterexample == []
