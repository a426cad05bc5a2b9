# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A host with its own PAM service (PAMServiceName): all its rules still apply to enforced users."""

from __future__ import annotations

import pytest

from lab.logins import login

# pam_env of the house's session gives it.
WHOSE_SESSION = 'echo "$(id -un) ${CORP-no}"'


@pytest.mark.comes_with("pam_service", "pam_service_below_match")
def test_who_is_refused_by_the_house_stays_out(server, keys):
    attempt = login(server, "outcast", [keys["outcast"].token()])
    assert attempt.asked and not attempt.allowed


@pytest.mark.comes_with("pam_service", "pam_service_below_match")
def test_enforced_user_is_asked_and_has_the_session_of_the_house(server, keys, gets_in_by_key):
    assert not gets_in_by_key("robot")
    attempt = login(server, "robot", [keys["robot"].token()], command=WHOSE_SESSION)
    assert attempt.allowed and attempt.prompts == ["Verification code: "] and attempt.output == "robot yes"


@pytest.mark.comes_with("pam_service")
def test_others_have_it_as_before(server):
    attempt = login(server, "bob", command=WHOSE_SESSION)
    assert attempt.allowed and not attempt.asked and attempt.output == "bob yes"


@pytest.mark.comes_with("pam_service_below_match")
def test_who_is_sent_elsewhere_has_nothing_of_the_house(server, keys):
    attempt = login(server, "alice", [keys["alice"].token()], command=WHOSE_SESSION)
    assert attempt.allowed and attempt.output == "alice no"
