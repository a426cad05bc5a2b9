# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A host set up with a popular guide, whose own lines ask everybody for a token: what a run predicts about the users'
apps is true."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pyotp
import pytest
import yaml

from lab.logins import login

SCENARIO = Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"])

pytestmark = pytest.mark.comes_with()

# The secret in the files of the guide, and dave's in mfa_keys as well; not alice's and bob's there.
GUIDES = pyotp.TOTP("MZXW6YTBOI5DGMRRGIZTINJWG44DSMBR")
GUIDE = """
sed -i -e '1i auth required pam_google_authenticator.so' -e 's/^@include common-auth/#&/' /etc/pam.d/sshd
cat > /etc/ssh/sshd_config.d/50-guide.conf <<END
KbdInteractiveAuthentication yes
AuthenticationMethods publickey,keyboard-interactive
Match User ansible
    AuthenticationMethods publickey
END
for user in alice bob dave; do
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
# What a variant of the guide does: the password and the token.
WITH_PASSWORD = "sed -i 's/^#@include common-auth/@include common-auth/' /etc/pam.d/sshd /root/pam.d/sshd"
WITHOUT_PASSWORD = "sed -i 's/^@include common-auth/#&/' /etc/pam.d/sshd /root/pam.d/sshd"
DAVES = {"user": "dave", "secret": GUIDES.secret, "state": "validated"}


@pytest.fixture
def guide(root):
    """The host is set up like that, and files are compared with this state."""
    root.run_expect([0], "mkdir /root/met && cp -a /root/ssh /root/pam.d /root/met/")
    root.run_expect([0], GUIDE.replace("{secret}", GUIDES.secret))
    root.run_expect([0], "rm -rf /root/ssh /root/pam.d && cp -a /etc/ssh /etc/pam.d /root/")
    yield
    root.run_expect([0], AS_BEFORE)


def test_entries_of_the_app_work_until_the_new_key_is_validated(
    guide, password, root, server, keys, site, policy, is_as_before
):
    def gets_in(user, whose):
        # The guide's files let a token be used again.
        token = keys["alice"].token() if whose == "alice" else GUIDES.now()
        done = login(server, user, [token])
        assert done.prompts == ["Verification code: "], done
        return done.allowed

    def run(*arguments):
        went_well, printed = site(*arguments)
        return went_well, " ".join(printed.split())

    told = "host_tokens: /etc/pam.d/sshd:1 pam_google_authenticator.so: {} with ~/.google_authenticator: {};"
    assert all(gets_in(user, "guide") for user in ("alice", "bob", "dave")) and not gets_in("carol", "guide")
    went_well, printed = run("-e", "mfa_factors=password+totp")
    assert not went_well and "PAM does not look at the password in shadow" in printed
    assert is_as_before()
    root.run_expect([0], WITH_PASSWORD)
    went_well, printed = run("-e", "mfa_factors=password+totp")
    assert not went_well and "would be asked for two tokens" in printed
    assert told.format("3 users", "alice, bob, dave") in printed
    assert is_as_before()
    root.run_expect([0], WITHOUT_PASSWORD)
    entries = yaml.safe_load((SCENARIO / "keys.yml").read_text())["mfa_keys"]
    entries = [DAVES if entry["user"] == "dave" else entry for entry in entries]
    went_well, printed = run("-e", json.dumps({"mfa_keys": entries}))
    assert went_well and "are asked for a token as well, by /etc/pam.d/sshd" in printed
    assert gets_in("bob", "guide") and not gets_in("carol", "guide")
    assert gets_in("alice", "alice") and not gets_in("alice", "guide")
    token = GUIDES.now()
    assert login(server, "dave", [token]).allowed, "the same entry"
    assert not login(server, "dave", [token]).allowed, "of a key that lets in once"
    findings = {one["id"]: one["evidence"] for one in policy()["findings"]}
    assert findings["host_tokens"][0].endswith("1 user with ~/.google_authenticator: bob")
    went_well, printed = run("-e", "mfa_state=absent")
    assert went_well and is_as_before(), printed
    assert gets_in("alice", "guide")
