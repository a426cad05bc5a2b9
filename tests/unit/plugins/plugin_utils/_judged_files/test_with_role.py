# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A folder judged with what role mfa would change in it. What the role renders: tests/unit/plugins/action/test_judge_with_role.py."""

from __future__ import annotations

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._judged_files.folder import EtcFolder
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._judged_files.judging import judge_folder
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._judged_files.people import FleetGroups
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._judged_files.with_role import folder_policy, role_changes
from ansible_collections.fleetmfa.ssh.tests.support.judged_folder import GATED, MAIN, PLAIN, JudgedEtc
from ansible_collections.fleetmfa.ssh.tests.support.security_key_lines import security_key_lines
from ansible_collections.fleetmfa.ssh.tests.support.sshd_host import GROUP, POLICY, needs_sshd

pytestmark = needs_sshd
FLEET = FleetGroups(GROUP, frozenset(), frozenset())
LINES = "".join(GATED.splitlines(keepends=True)[:3])
SERVICE = {
    "service": "sshd", "state": "present", "content": LINES, "own_service": False, "base_service": "sshd", "guard": None,
    "token_alone": True, "require_installed": True, "after_password": False, "asks_again": False, "remember_seconds": 0,
    "confdir": "/nowhere",
}  # fmt: skip
SSHD = {
    "state": "present", "content": POLICY, "dropin": "/nowhere", "config": "/nowhere", "binary": None, "overdue_group": None,
    "accept_findings": [],
}  # fmt: skip
TOKEN = "auth required pam_google_authenticator.so\n"


@pytest.fixture
def etc(tmp_path, monkeypatch):
    """A folder of hosts that role mfa has not seen yet; named as a run in a repository names it."""
    monkeypatch.chdir(tmp_path)
    etc = JudgedEtc(tmp_path / "etc")
    etc.remove("ssh/sshd_config.d/00-mfa.conf")
    etc.write("pam.d/sshd", PLAIN)
    return etc


def judged(**given):
    folder = EtcFolder("etc")
    rollout = {"pam": [SERVICE], "account_check": None, "sshd": SSHD, **given}
    policy = folder_policy(folder, FLEET, None)
    found = judge_folder(folder, FLEET, None, role_changes(folder, FLEET, None, rollout)).classes
    return policy, {one.users: one for one in found}


def verdicts(**given):
    return {users: one.verdict for users, one in judged(**given)[1].items()}


def test_asked_with_the_role_and_not_without(etc):
    assert {one.users: one.verdict for one in etc.judged()}["enforced users"] == "can_bypass"
    policy, found = judged()
    assert found["enforced users"].verdict == "asked" and found["other users"].verdict == "not_asked"
    assert found["enforced users"].where[0].startswith("etc/ssh/sshd_config.d/00-fleetmfa.conf:3 (below `Match Group")
    assert "etc/pam.d/sshd:3: auth pam_google_authenticator.so" in found["enforced users"].where
    assert policy["pam_services"] == ["sshd"] and policy["own_pam_services"] == []
    assert policy["baseline"]["kbdinteractiveauthentication"] == "no"
    assert (etc.path / "pam.d/sshd").read_text() == PLAIN
    assert not (etc.path / "ssh/sshd_config.d/00-fleetmfa.conf").exists()


def test_users_of_security_keys(etc):
    """Not asked; whoever is in both groups is, and the role would refuse lines that ask for less."""
    lines = security_key_lines()
    found = verdicts(sshd={**SSHD, "content": lines + POLICY})
    assert found["other users in mfa-security-key"] == "not_asked" == found["other users"]
    assert found["enforced users"] == "asked" and "can_bypass" not in found.values()
    less = lines.replace("    PubkeyAuthOptions verify-required\n", ""), lines.replace(f",!{GROUP}", "")
    for content, told in zip(less, ("sshd_security_key_not_demanded", "sshd_policy_shadowed")):
        with pytest.raises(FleetMfaError, match=f"role mfa would refuse to change etc: {told}: "):
            judged(sshd={**SSHD, "content": content + POLICY})


def test_lines_that_win_today_do_not_win_then(etc):
    """The role's Include comes first, also where no line includes a drop-in."""
    include, _newline, rest = MAIN.partition("\n")
    alice = "Match User alice\n    AuthenticationMethods publickey\nMatch all\n"
    etc.write("ssh/sshd_config", f"{rest}{alice}{include}\n")
    etc.write("ssh/sshd_config.d/00-a.conf", "Match Group sudo\n    AuthenticationMethods publickey\n")
    found = verdicts()
    assert found["enforced users"] == "asked" and "can_bypass" not in found.values()
    etc.write("ssh/sshd_config", rest)
    etc.remove("ssh/sshd_config.d/00-a.conf")
    assert verdicts()["enforced users"] == "asked"


def test_an_older_drop_in_of_the_role_is_replaced(etc):
    etc.write("ssh/sshd_config.d/00-fleetmfa.conf", f"PubkeyAuthentication no\n{POLICY}")
    policy, found = judged()
    assert found["enforced users"].verdict == "asked" and policy["baseline"]["pubkeyauthentication"] == "yes"


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("ssh/sshd_config", MAIN.replace("UsePAM yes", "UsePAM no"), "role mfa would refuse to change etc: "),
        ("ssh/sshd_config", f"{MAIN}PubkeyAuthentication no\n", "role mfa would refuse to change etc: "),
        ("ssh/sshd_config", "Nonsense yes\n", "etc/ssh/sshd_config: sshd rejects it"),
        ("pam.d/sshd", PLAIN.replace("common-auth", "/etc/pam.d/common-auth"), "includes /etc/pam.d/common-auth by its whole path"),
        ("pam.d/sshd", PLAIN.replace("common-auth", "nowhere"), "cannot include nowhere"),
        ("pam.d/sshd", "", "etc/pam.d/sshd"),
    ],
)  # fmt: skip
def test_what_a_run_would_refuse(etc, name, text, told):
    etc.write(name, text)
    with pytest.raises(FleetMfaError) as error:
        judged()
    assert told in str(error.value)


def test_a_door(etc):
    door = {**SERVICE, "service": "su", "after_password": True, "token_alone": False, "content": LINES}
    with pytest.raises(FleetMfaError, match="PAM service etc/pam.d/su does not exist"):
        judged(pam=[SERVICE, door])


def test_what_the_host_asks_of_everybody_stays_not_as_wanted(etc):
    """The host's own token line: after the role, other users are asked as before."""
    etc.write("pam.d/sshd", TOKEN + PLAIN)
    etc.write(
        "ssh/sshd_config",
        MAIN.replace("Authentication no", "Authentication yes")
        + "PasswordAuthentication no\nPubkeyAuthentication no\n",
    )
    policy = "Match Group mfa-enforced\n    PubkeyAuthentication yes\n    AuthenticationMethods publickey,keyboard-interactive:pam\n"
    found = verdicts(sshd={**SSHD, "content": policy})
    assert found["enforced users"] == found["other users"] == "asked"
