# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the fleetmfa.ssh authors
"""A host after a popular guide, whose own lines ask everybody for a token: that goes on, is told, and nobody is asked twice."""

from __future__ import annotations

import pyotp
import pytest

from lab.logins import login

pytestmark = pytest.mark.comes_with()

# The secret in the files of the guide, not that of alice's key in mfa_keys.
GUIDES = pyotp.TOTP("MZXW6YTBOI5DGMRRGIZTINJWG44DSMBR")
GUIDE = """
sed -i -e '1i auth required pam_google_authenticator.so' -e 's/^@include common-auth/#&/' /etc/pam.d/sshd
cat > /etc/ssh/sshd_config.d/50-guide.conf <<END
KbdInteractiveAuthentication yes
AuthenticationMethods publickey,keyboard-interactive
Match User ansible
    AuthenticationMethods publickey
END
for user in alice bob; do
  printf '%s\\n" TOTP_AUTH\\n' {secret} > /home/$user/.google_authenticator
  chown $user: /home/$user/.google_authenticator
  chmod 400 /home/$user/.google_authenticator
done
systemctl reload ssh
"""
AS_BEFORE = """
rm -rf /etc/ssh /etc/pam.d /home/*/.google_authenticator
cp -a /root/met/ssh /root/met/pam.d /etc/
systemctl reload ssh
rm -rf /root/ssh /root/pam.d
mv /root/met/* /root/
rmdir /root/met
"""


@pytest.fixture
def guide(root):
    """Made so, and that is what files are compared with."""
    root.run_expect([0], "mkdir /root/met && cp -a /root/ssh /root/pam.d /root/met/")
    root.run_expect([0], GUIDE.replace("{secret}", GUIDES.secret))
    root.run_expect([0], "rm -rf /root/ssh /root/pam.d && cp -a /etc/ssh /etc/pam.d /root/")
    yield
    root.run_expect([0], AS_BEFORE)


def test_as_before_for_others_and_one_token_for_enforced_users(guide, server, keys, site, is_as_before):
    def gets_in(user, whose):
        # The guide's files let a token be used again.
        token = keys["alice"].token() if whose == "alice" else GUIDES.now()
        done = login(server, user, [token])
        assert done.prompts == ["Verification code: "], done
        return done.allowed

    assert gets_in("alice", "guide") and gets_in("bob", "guide") and not gets_in("carol", "guide")
    went_well, printed = site("-e", "mfa_factors=password+totp")
    assert not went_well and "would be asked for two tokens" in " ".join(printed.split()), printed
    assert is_as_before()
    went_well, printed = site()
    assert went_well and "are asked for a token as well, by /etc/pam.d/sshd" in " ".join(printed.split()), printed
    assert gets_in("bob", "guide") and not gets_in("carol", "guide")
    assert gets_in("alice", "alice") and not gets_in("alice", "guide")
    went_well, printed = site("-e", "mfa_state=absent")
    assert went_well and is_as_before(), printed
    assert gets_in("alice", "guide")
