# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Users from whom sshd takes security keys only: what the real sshd says about them, and what of it is weak."""

from __future__ import annotations

import os

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.audit import Audit
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.match import Account
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.plan import Surroundings
from ansible_collections.fleetmfa.ssh.tests.support.sshd_host import ALICE, BOB, DEBIAN, POLICY, SshdHost, needs_sshd

pytestmark = needs_sshd
CAROL = Account("carol", 1003, frozenset({"carol", "sk-users"}))
SOUND = """\
Match Group sk-users
    PubkeyAcceptedAlgorithms sk-ssh-ed25519@openssh.com,sk-ecdsa-sha2-nistp256@openssh.com
    PubkeyAuthOptions verify-required
    AuthorizedKeysFile /etc/ssh/security_keys/%u
    AuthenticationMethods publickey
"""


@pytest.fixture
def weak(tmp_path):
    """weak(text): the evidence of the finding, with `text` as a drop-in after ours."""
    host = SshdHost(tmp_path)

    def weak(text, account=CAROL):
        host.write("PasswordAuthentication yes\n" + DEBIAN, {"00-fleetmfa.conf": POLICY, "20-keys.conf": text})
        surroundings = Surroundings(lambda *_: [ALICE, BOB, account], lambda config: [])
        findings = Audit(host.audit_wish(), surroundings, lambda *_: []).report()["findings"]
        assert "sshd_config_invalid" not in {one["id"] for one in findings}, findings
        return [text for one in findings if one["id"] == "sshd_security_key_weak" for text in one["evidence"]]

    return weak


def test_sound_set_up_has_no_finding(weak):
    assert weak(SOUND) == []


def test_wildcards_are_what_sshd_makes_of_them(weak):
    listed = "sk-ssh-ed25519@openssh.com,sk-ecdsa-sha2-nistp256@openssh.com"
    assert weak(SOUND.replace(listed, "sk-*")) == []
    assert len(weak(SOUND.replace(listed, "sk-*").replace("verify-required", "touch-required"))) == 1


@pytest.mark.parametrize(
    ("sound", "instead", "told"),
    [
        ("    PubkeyAuthOptions verify-required\n", "", "PIN or fingerprint is not required: pubkeyauthoptions none"),
        ("verify-required", "touch-required", "20-keys.conf:3 "),
        (
            "/etc/ssh/security_keys/%u",
            ".ssh/authorized_keys",
            "not only root may add keys, of software too, in .ssh/authorized_keys: ",
        ),
        ("/etc/ssh/security_keys/%u", "/etc/ssh/k/%u %h/k", "not only root may add keys, of software too, in %h/k: "),
        ("/etc/ssh/security_keys/%u", "/srv%h/k", "in /srv%h/k: "),
        ("Methods publickey", "Methods publickey password", "password let the user in without the key: "),
        ("    AuthenticationMethods publickey\n", "", "password let the user in without the key: "),
    ],
)
def test_what_is_weak(weak, sound, instead, told):
    [said] = weak(SOUND.replace(sound, instead))
    assert said.startswith("carol: ") and told in said


@pytest.mark.parametrize(
    ("owner", "mode", "safe"), [(0, 0o755, True), (1003, 0o755, False), (0, 0o775, False), (0, 0o757, False)]
)
def test_files_that_somebody_else_may_write(weak, roots_folder, owner, mode, safe):
    (roots_folder / "carol").touch()
    os.chown(roots_folder / "carol", owner, 0)
    roots_folder.chmod(mode)
    found = weak(SOUND.replace("/etc/ssh/security_keys", str(roots_folder)))
    assert found == [] if safe else f"in {roots_folder}/%u: " in found[0]


def test_a_key_besides_a_conversation_is_not_judged(weak):
    """What PAM asks for then is another factor; whether it is a token is what the verdict says."""
    both = SOUND.replace("Methods publickey", "Methods publickey,keyboard-interactive:pam")
    assert weak(both.replace("verify-required", "touch-required") + "    KbdInteractiveAuthentication yes\n") == []


def test_other_keys_too_is_no_security_key_policy(weak):
    """These users are not asked for a second factor, like everybody who is not enforced."""
    assert weak("Match Group sk-users\n    PubkeyAcceptedAlgorithms sk-ssh-ed25519@openssh.com,ssh-ed25519\n") == []


def test_key_and_token_are_two_factors_anyway(weak):
    """Of an enforced user: a security key of any kind, then the token."""
    assert weak("PubkeyAcceptedAlgorithms sk-ssh-ed25519@openssh.com\nPubkeyAuthOptions none\n", ALICE) != []
    enforced = CAROL.joined("mfa-enforced")
    assert not any("carol" in said for said in weak("PubkeyAcceptedAlgorithms sk-ssh-ed25519@openssh.com\n", enforced))
