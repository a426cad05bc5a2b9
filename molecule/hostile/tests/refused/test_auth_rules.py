# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A rule about who may log in among the auth lines, which every login ran so far: a login with key and token would not
run it."""

from __future__ import annotations

import pytest

from lab.logins import login

pytestmark = pytest.mark.comes_with()

RULE = """
sed -i '/^@include common-auth/i auth required pam_access.so' /etc/pam.d/sshd
printf '%s\\n' '-:outcast:ALL' > /etc/security/access.conf
printf '%s\\n' 'KbdInteractiveAuthentication yes' 'AuthenticationMethods publickey,keyboard-interactive' \
  'Match User ansible' 'AuthenticationMethods publickey' > /etc/ssh/sshd_config.d/50-rule.conf
"""
AS_BEFORE = """
rm -rf /etc/ssh /etc/pam.d
cp -a /root/met/ssh /root/met/pam.d /etc/
mv /root/met/access.conf /etc/security/
rm -rf /root/ssh /root/pam.d
mv /root/met/* /root/
rmdir /root/met
"""


@pytest.fixture
def rule(root, reload_sshd):
    """The host is set up like that, and files are compared with this state."""
    root.run_expect([0], "mkdir /root/met && cp -a /root/ssh /root/pam.d /etc/security/access.conf /root/met/")
    root.run_expect([0], RULE)
    reload_sshd()
    root.run_expect([0], "rm -rf /root/ssh /root/pam.d && cp -a /etc/ssh /etc/pam.d /root/")
    yield
    root.run_expect([0], AS_BEFORE)
    reload_sshd()


def test_denied_user_stays_denied(rule, password, server, keys, site, is_as_before):
    def gets_in(user, *tokens, key=True):
        attempt = login(server, user, [*tokens, password], key=key)
        assert len(attempt.prompts) == len(tokens) + 1, attempt
        return attempt.allowed

    assert gets_in("alice") and gets_in("bob") and not gets_in("outcast")
    went_well, printed = site()
    assert not went_well and "pam_auth_rules_skipped" in printed and "pam_access.so" in printed, printed
    assert is_as_before()
    assert gets_in("alice") and gets_in("bob") and not gets_in("outcast")
    went_well, printed = site("-e", "mfa_factors=password+totp")  # the remedy
    assert went_well, printed
    assert gets_in("alice", keys["alice"].token(), key=False) and gets_in("bob")
    assert not gets_in("outcast", keys["outcast"].token(), key=False)
    removed, printed = site("-e", "mfa_state=absent")
    assert removed and is_as_before(), printed
