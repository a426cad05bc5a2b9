# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What settings mean for a login, for every OpenSSH generation, whichever is installed."""

from __future__ import annotations

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd import verdict as sshd_verdict
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.config import SshdConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.login import Login
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.login_findings import findings_of_enforced
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.match import Connection
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.verdict import AssumedPam, verdict
from ansible_collections.fleetmfa.ssh.tests.support.sshd_host import ALICE, ROOT

SOUND = {
    "usepam": "yes",
    "pubkeyauthentication": "yes",
    "passwordauthentication": "yes",
    "kbdinteractiveauthentication": "yes",
    "hostbasedauthentication": "no",
    "gssapiauthentication": "no",
    "gssapikeyexchange": "no",
    "permitrootlogin": "without-password",
    "authenticationmethods": "publickey,keyboard-interactive:pam",
}
BOTH = "publickey,keyboard-interactive:pam keyboard-interactive:pam"


@pytest.fixture(autouse=True)
def services(tmp_path, monkeypatch):
    monkeypatch.setattr(sshd_verdict, "_PAM_FOLDERS", (str(tmp_path),))
    (tmp_path / "sshd").touch()
    (tmp_path / "sshd-mfa").touch()


def login(account=ALICE, **settings):
    values = {**SOUND, **settings}
    return Login(account, Connection(), {keyword: [value] for keyword, value in values.items()})


def ids(tmp_path, one):
    config = tmp_path / "sshd_config"
    config.touch()
    return {finding.id for finding in findings_of_enforced(SshdConfig(str(config)), one, AssumedPam())}


@pytest.mark.parametrize(
    ("settings", "said", "converses_later"),
    [
        ({}, "asked", True),
        ({"authenticationmethods": BOTH}, "asked", False),
        ({"authenticationmethods": "keyboard-interactive:pam"}, "asked", False),
        ({"authenticationmethods": "any"}, "can_bypass", False),
        ({"authenticationmethods": "publickey"}, "can_bypass", False),
        ({"authenticationmethods": "publickey,password"}, "can_bypass", False),
        ({"kbdinteractiveauthentication": "no"}, "locked_out", False),
        ({"challengeresponseauthentication": "no"}, "locked_out", False),
        ({"challengeresponseauthentication": "yes"}, "asked", True),
        ({"usepam": "no"}, "locked_out", False),
        ({"pubkeyauthentication": "no"}, "locked_out", False),
        ({"pubkeyauthentication": "no", "authenticationmethods": BOTH}, "asked", False),
        ({"authenticationmethods": "publickey,keyboard-interactive:bsdauth"}, "locked_out", False),
        ({"denyusers": "alice"}, "locked_out", False),
        ({"gssapiauthentication": "yes", "authenticationmethods": "any"}, "can_bypass", False),
    ],
)
def test_verdict_without_knowing_pam(settings, said, converses_later):
    one = login(**settings)
    assert verdict(one, True, AssumedPam()).said == said
    assert one.always_converses_later is converses_later


@pytest.mark.parametrize(
    ("permitted", "methods", "said"),
    [
        ("yes", "publickey,keyboard-interactive:pam", "asked"),
        ("without-password", "publickey,keyboard-interactive:pam", "locked_out"),
        ("prohibit-password", "keyboard-interactive", "locked_out"),
        ("forced-commands-only", "publickey,keyboard-interactive", "locked_out"),
        ("no", "publickey", "locked_out"),
        ("without-password", "any", "can_bypass"),
    ],
)
def test_root(tmp_path, permitted, methods, said):
    one = login(ROOT, permitrootlogin=permitted, authenticationmethods=methods)
    assert verdict(one, True, AssumedPam()).said == said
    assert ("sshd_root_cannot_pass" in ids(tmp_path, one)) is (said == "locked_out")


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"denyusers": "alice"}, "AllowUsers, DenyUsers, AllowGroups or DenyGroups denies this account"),
        ({"usepam": "no"}, "not offered: keyboard-interactive:pam (usepam no)"),
        (
            {"authenticationmethods": "password,gssapi-with-mic"},
            "not offered: gssapi-with-mic (gssapiauthentication no)",
        ),
    ],
)
def test_why_nobody_gets_in(settings, reason):
    assert verdict(login(**settings), True, AssumedPam()).reason == reason


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, set()),
        ({"pamservicename": "sshd-mfa"}, set()),
        ({"pamservicename": "SSHD-Mfa"}, set()),
        ({"pamservicename": "sshd-none"}, {"sshd_pam_service_missing"}),
        ({"challengeresponseauthentication": "no"}, {"sshd_keyboard_interactive_disabled"}),
        ({"usepam": "no"}, {"sshd_pam_disabled"}),
        ({"usepam": "no", "authenticationmethods": "publickey"}, {"sshd_pam_disabled", "sshd_publickey_without_token"}),
        ({"pubkeyauthentication": "no"}, {"sshd_method_disabled"}),
        ({"denyusers": "alice", "authenticationmethods": "any"}, set()),
        (
            {"authenticationmethods": "any", "gssapiauthentication": "yes", "gssapikeyexchange": "yes"},
            {
                "sshd_any_method",
                "sshd_publickey_without_token",
                "sshd_password_without_token",
                "sshd_gssapi_without_token",
            },
        ),
    ],
)
def test_findings(tmp_path, settings, expected):
    assert ids(tmp_path, login(**settings)) == expected
