# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The host's own PAM service is missing, is in another folder, or changes to another one."""

from __future__ import annotations

import json

import pytest

from lab.logins import login

pytestmark = pytest.mark.comes_with("pam_service")

SENT_TO = "printf 'PAMServiceName %s\\n' {} > /etc/ssh/sshd_config.d/50-corp.conf; systemctl reload ssh"
# The rules of another house: it has nothing against outcast, but against dave.
ANOTHER = "sed s/corp.conf/other.conf/ /root/pam.d/ssh-corp > /etc/pam.d/ssh-other; echo '-:dave:ALL' > /etc/security/other.conf"


@pytest.fixture(autouse=True)
def as_met(root):
    yield
    root.run_expect([0], "rm -rf /etc/ssh /etc/pam.d /usr/lib/pam.d/ssh-corp && cp -a /root/ssh /root/pam.d /etc/")
    root.run_expect([0], "systemctl reload ssh")


@pytest.fixture
def gets_in(server, keys):
    """Whether an enforced user gets in with a token; the test fails if one gets in without."""

    def attempt(user):
        done = login(server, user, [keys[user].token()])
        assert done.asked, done
        return done.allowed

    return attempt


@pytest.mark.parametrize(
    ("folder", "said"),
    [
        # sshd would fall back to `other`.
        ("/root/away", "there is no PAM service ssh-corp in /etc/pam.d"),
        # sshd finds it there, an include may not.
        ("/usr/lib/pam.d", "PAM service ssh-corp is /usr/lib/pam.d/ssh-corp, where an include may not find it"),
    ],
)
def test_service_that_cannot_be_included_is_refused(folder, said, root, site):
    root.run_expect([0], f"mkdir -p {folder} && mv /etc/pam.d/ssh-corp {folder}/")
    went_well, printed = site()
    assert not went_well and said in " ".join(printed.split()), printed
    assert not root.file("/etc/pam.d/sshd-mfa").exists
    assert not root.file("/etc/ssh/sshd_config.d/00-fleetmfa.conf").exists


@pytest.mark.release
def test_another_service_is_a_finding_until_the_next_run(
    root, site, policy_findings, gets_in, gets_in_by_key, is_as_before
):
    assert site()[0] and gets_in("alice") and not gets_in("outcast")
    assert policy_findings() == set()
    root.run_expect([0], ANOTHER + "; " + SENT_TO.format("ssh-other"))
    assert policy_findings() == {"pam_rules_lost"}
    assert gets_in("dave"), "by the rules of the old house, which is the finding"
    went_well, printed = site()
    assert went_well and policy_findings() == set(), printed
    assert gets_in("outcast") and not gets_in("dave")
    root.run_expect([0], "rm /etc/pam.d/ssh-other; " + SENT_TO.format("ssh-corp"))
    assert site("-e", json.dumps({"mfa_pam_service": "shared"}))[0] and policy_findings() == set()
    assert gets_in("alice") and not gets_in("outcast") and gets_in_by_key("bob")
    root.run_expect([0], SENT_TO.format("sshd"))
    assert policy_findings() == {"pam_token_not_asked"}
    assert site("-e", json.dumps({"mfa_pam_service": "shared"}))[0] and policy_findings() == set()
    assert gets_in("alice")
    root.run_expect([0], SENT_TO.format("ssh-corp"))
    assert site("-e", json.dumps({"mfa_state": "absent"}))[0] and is_as_before()
