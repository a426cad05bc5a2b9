# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""pam_totp proves the lines for a second device: with them nothing is weaker, for whoever has one and for whoever has none."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ansible_collections.fleetmfa.ssh.tests.support.token_lines import token_lines

PROGRAMS = "/usr/local/libexec/fleetmfa"
GUARD = f"{PROGRAMS}/totp-guard"
COMMON_AUTH = (
    "auth [success=1 default=ignore] pam_unix.so nullok\nauth requisite pam_deny.so\nauth required pam_permit.so\n"
)
SHARED = token_lines(PROGRAMS, "/var/lib/fleetmfa", own_service=False)
(
    _GATE,
    _ATTEMPTS,
    DECIDES,
    ASKS,
    FIRST,
    SECOND,
    _COUNTS,
    ALONE,
    _COUNTS_ALONE,
    CLAIMS,
    DENY,
    _DENY,
    _ENDS,
    _PAD,
    _PAD,
) = (line for line in SHARED.splitlines(keepends=True) if line.startswith("auth "))


@pytest.fixture
def confdir(tmp_path):
    (tmp_path / "sshd").write_text("@include common-auth\naccount required pam_nologin.so\n")
    (tmp_path / "common-auth").write_text(COMMON_AUTH)
    return tmp_path


def add(run_module, confdir, content=SHARED, **options):
    return run_module(
        "pam_totp", confdir=str(confdir), **{"service": "sshd", "content": content, "guard": GUARD, **options}
    )


def test_the_roles_lines_are_proven(run_module, confdir):
    result = add(run_module, confdir)
    assert result["changed"] and result["ways_in"] == [["token"]] and not result["notes"]
    assert not add(run_module, confdir)["changed"]


def test_so_in_a_service_of_their_own(run_module, confdir):
    content = token_lines(PROGRAMS, "/var/lib/fleetmfa")
    result = add(run_module, confdir, content, service="sshd-mfa", own_service=True, base_service="sshd")
    assert result["changed"] and result["ways_in"] == [["token"]]


def test_on_this_machine_with_the_modules_that_it_has(run_module, tmp_path):
    if not Path("/etc/pam.d/sshd").exists():
        pytest.skip("this machine has no PAM service of sshd")
    folder = tmp_path / "pam.d"
    shutil.copytree("/etc/pam.d", folder)
    assert add(run_module, folder)["ways_in"] == [["token"]]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (ASKS, "", "could"),
        (ASKS, ASKS.replace("expose_authtok ", ""), "with a second device could never log in"),
        (DECIDES, DECIDES.replace("success=4", "success=5"), "could get in without a token"),
        (DECIDES, DECIDES.replace("success=4", "success=6"), "could get in without a token"),
        (DECIDES, DECIDES.replace("success=4", "success=ignore"), "with one device could get in without"),
        (FIRST, FIRST.replace("success=4", "success=7"), "could get in without a token"),
        (FIRST, FIRST.replace("default=ignore", "default=4"), "could get in without a token"),
        (SECOND, SECOND.replace("default=bad", "default=3"), "could get in without a token"),
        (
            SECOND,
            SECOND.replace("default=bad", "default=ignore"),
            "with a second device could get in without being asked",
        ),
        (
            SECOND,
            SECOND.replace("default=bad", "ignore=3 default=bad").replace(" use_first_pass", " nullok use_first_pass"),
            "could get in without a token",
        ),
        (ALONE, ALONE.replace("default=bad", "default=ignore"), "could get in without a token"),
        (ALONE, ALONE.replace("success=1", "success=2"), "with one device could never log in"),
        (ALONE, ALONE.replace("success=1", "success=4"), "could get in without a token"),
        (ALONE, ALONE.replace("noskewadj", "noskewadj use_first_pass"), "with one device could"),
        (CLAIMS, "", "could never log in"),
        (CLAIMS + DENY + DENY, "", "could get in without a token"),
        (CLAIMS + DENY + DENY, CLAIMS.replace("default=die", "default=ignore"), "could get in without a token"),
        (DENY + DENY, DENY.replace("cred_err=ignore ", "") * 2, "pam_setcred would fail"),
    ],
)
def test_what_is_wrong_with_them_is_refused(run_module, confdir, old, new, message):
    assert SHARED.count(old) == 1
    before = (confdir / "sshd").read_bytes()
    result = add(run_module, confdir, SHARED.replace(old, new))
    assert result.get("failed") and message in result["msg"], result
    assert (confdir / "sshd").read_bytes() == before


@pytest.mark.parametrize("factors", ["password+totp", "either"])
def test_with_a_password_after_the_token_they_are_refused(run_module, confdir, factors):
    """pam_unix would be given the token as the password: a lock-out of whoever has a second device."""
    content = token_lines(PROGRAMS, "/var/lib/fleetmfa", own_service=False, factors=factors)
    result = add(run_module, confdir, content, token_alone=factors == "either")
    assert result.get("failed") and "with a second device could not give a password after the token" in result["msg"]
    without = token_lines(PROGRAMS, "/var/lib/fleetmfa", own_service=False, factors=factors, second_device=False)
    assert add(run_module, confdir, without, token_alone=factors == "either")["changed"]
