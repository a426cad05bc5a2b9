# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The verdict on ways in that the published pairs do not have: our own lines, PAMServiceName, what cannot be checked."""

from __future__ import annotations

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.account_check import account_lines
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.config import PamConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.key_presence import KeyFiles
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.pam_service import PamServices
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.login import Login
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.match import Account, Connection
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.plan import ANY_USER
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.verdict import verdict
from ansible_collections.fleetmfa.ssh.tests.support.sshd_host import ALICE, BOB, GROUP

GUARD = "/usr/local/libexec/fleetmfa/totp-guard"
TOKEN = "auth requisite pam_google_authenticator.so secret=/keys/${USER} user=root noskewadj\n"
OURS = (
    f"auth [success=ignore ignore=ignore auth_err=4 default=die] pam_succeed_if.so quiet user ingroup {GROUP}\n"
    f"auth requisite pam_exec.so quiet {GUARD} attempt\n{TOKEN}auth requisite pam_exec.so quiet {GUARD} claim\n"
    f"auth sufficient pam_succeed_if.so quiet user ingroup {GROUP}\n"
)
PASSWORD, ACCOUNT = "auth required pam_unix.so\n", "account required pam_unix.so\n"
KEY_AND_TOKEN, ANY = "publickey,keyboard-interactive:pam", "any"


def judged(services, account=ALICE, methods=KEY_AND_TOKEN, keys=None, **settings):
    texts = {"sshd": services} if isinstance(services, str) else services
    pam = PamServices(PamConfig("/nonexistent", texts), group=GROUP, keys=keys)
    on = dict.fromkeys(
        ("pubkeyauthentication", "kbdinteractiveauthentication", "passwordauthentication", "usepam"), "yes"
    )
    off = dict.fromkeys(("hostbasedauthentication", "gssapiauthentication", "gssapikeyexchange"), "no")
    values = {**on, **off, "authenticationmethods": methods, **settings}
    one = Login(account, Connection(), {keyword: [value] for keyword, value in values.items()})
    return verdict(one, GROUP in account.groups, pam)


@pytest.mark.parametrize("account", [ALICE, ANY_USER.joined(GROUP)])
def test_members_are_asked_by_our_lines(account):
    assert judged(OURS + PASSWORD + ACCOUNT, account).said == "asked"


@pytest.mark.parametrize("account", [BOB, ANY_USER])
def test_others_are_not(account):
    assert judged(OURS + PASSWORD + ACCOUNT, account, ANY).said == "not_asked"


def test_the_known_fault():
    """Key and password got in, and the audit said that alice was asked."""
    found = judged("auth sufficient pam_google_authenticator.so\n" + PASSWORD + ACCOUNT)
    assert found.said == "can_bypass"
    told = [(step["method"], step["prompt"], step["answer"], step["line"]) for step in found.steps]
    assert told == [
        ("connect", "", "", ""),
        ("publickey", "", "an SSH key of the user", ""),
        (
            "keyboard-interactive",
            "Verification code: ",
            "anything else",
            "/nonexistent/sshd:1 pam_google_authenticator.so",
        ),
        ("keyboard-interactive", "Password: ", "password", "/nonexistent/sshd:2 pam_unix.so"),
        ("account", "", "", ""),
    ]


def test_the_service_that_sshd_names_is_judged():
    services = {"sshd": PASSWORD + ACCOUNT, "sshd-mfa": TOKEN + ACCOUNT}
    assert judged(services, pamservicename="sshd-mfa").said == "asked"
    assert judged(services, pamservicename="SSHD").said == "can_bypass"
    gone = judged(services, pamservicename="sshd-gone").reason
    assert gone.startswith("PAM service sshd-gone never succeeds: neither sshd-gone nor other exists")


@pytest.mark.parametrize(
    ("auth", "said"),
    [
        (PASSWORD + TOKEN, "locked_out"),
        (TOKEN, "asked"),
        (TOKEN.replace("noskewadj", "forward_pass") + PASSWORD, "asked"),
        (PASSWORD, "can_bypass"),
        ("auth sufficient pam_oath.so usersfile=/x digits=6\nauth required pam_unix.so try_first_pass\n", "can_bypass"),
    ],
)
def test_one_answer_for_all_prompts(auth, said):
    found = judged(auth + ACCOUNT, methods="publickey,password")
    assert found.said == said
    assert ("one answer to every prompt" in found.reason) == (said == "locked_out")


def test_without_pam_sshd_compares_the_password():
    assert judged(TOKEN + ACCOUNT, methods="password", usepam="no").said == "can_bypass"


def test_credentials_that_can_never_be_set():
    """pam_deny fails in pam_setcred, whatever it skipped before; sshd then ends a session that PAM let in."""
    stack = "auth [success=done default=die] pam_google_authenticator.so\n"
    assert judged(stack + ACCOUNT).said == "asked"
    stack = (
        "auth [success=1 auth_err=1] pam_succeed_if.so user ingroup mfa-enforced\nauth required pam_deny.so\n" + TOKEN
    )
    found = judged(stack + ACCOUNT)
    assert (found.said, "pam_setcred" in found.reason) == ("locked_out", True)


def test_a_service_that_cannot_be_checked_may_let_anybody_in():
    found = judged("auth include\n" + ACCOUNT)
    assert found.said == "can_bypass"
    assert "cannot be checked: /nonexistent/sshd:1" in found.steps[-1]["effect"]


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ("account required pam_deny.so\n", "/nonexistent/sshd:4: pam_deny.so returned auth_err"),
        ("account required pam_succeed_if.so user notingroup mfa-enforced\n", "pam_succeed_if.so returned auth_err"),
        ("", "sshd has no account lines"),
    ],
)
def test_the_account_lines_have_the_last_word(lines, reason):
    found = judged("auth required pam_env.so\n" + PASSWORD + TOKEN + lines, methods="publickey")
    assert found.said == "locked_out"
    assert reason in found.reason


# The account check: docs/fail_closed.md


# As earlier versions wrote them.
THREE_LINES = """\
account  [success=ignore default=2]  pam_succeed_if.so quiet service in sshd:sshd-mfa
account  [success=1 default=ignore]  pam_exec.so quiet /bin/sh -pc [u=$(/usr/bin/id -u -- "$PAM_USER") && test ! -e "{records}/$u"]
account  requisite  pam_exec.so quiet {guard} account
"""


@pytest.fixture(params=["two lines", "three lines"])
def checked(tmp_path, request):
    """Account lines of a host on which alice is recorded as enforced."""
    (tmp_path / str(ALICE.uid)).write_text("alice\n/service\n")
    old = THREE_LINES.format(records=tmp_path, guard=GUARD)
    return (old if request.param == "three lines" else account_lines(["sshd"], str(tmp_path), GUARD)) + ACCOUNT


@pytest.mark.parametrize(
    ("account", "methods", "said"),
    [
        (ALICE, KEY_AND_TOKEN, "asked"),
        (ALICE, "publickey", "locked_out"),  # the drop-in is lost
        (ALICE.left(GROUP), "publickey", "locked_out"),  # the membership is lost
        (ALICE._replace(name="second-name"), "publickey", "locked_out"),
        (ALICE.left(GROUP)._replace(name="service"), "publickey", "not_asked"),  # exempt, with the same user id
        (BOB, "publickey", "not_asked"),
    ],
)
def test_who_is_recorded_as_enforced_needs_a_token(checked, account, methods, said):
    assert judged(OURS + PASSWORD + checked, account, methods).said == said


def test_another_name_of_root_is_let_in(tmp_path):
    (tmp_path / "0").write_text("toor\n")
    lines = account_lines(["sshd"], str(tmp_path), GUARD) + ACCOUNT
    for name, said in (("root", "not_asked"), ("toor", "locked_out")):
        assert judged(PASSWORD + lines, Account(name, 0, frozenset()), "publickey", permitrootlogin="yes").said == said


# What the key file decides


def test_nullok_is_judged_by_the_key_file(tmp_path):
    service = f"auth required pam_google_authenticator.so nullok secret={tmp_path}/${{USER}}\n{PASSWORD}{ACCOUNT}"
    assert judged(service, keys=KeyFiles()).said == "can_bypass"
    (tmp_path / "alice").touch()
    assert judged(service, keys=KeyFiles()).said == "asked"
    assert judged(service.replace(" nullok", ""), BOB.joined(GROUP), keys=KeyFiles()).said == "locked_out"
