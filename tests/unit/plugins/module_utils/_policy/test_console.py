# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""With a token at the console, root or an exempt account must get in there without one."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.config import PamConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.console import refuse_no_console
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import Exemptions

GROUP = "mfa-enforced"
LOGIN = """\
auth requisite pam_unix.so
auth [success=ignore ignore=ignore auth_err=1 default=die] pam_succeed_if.so quiet user ingroup mfa-enforced
auth requisite pam_google_authenticator.so secret=/var/lib/fleetmfa/keys/${USER} user=root noskewadj
"""


@pytest.fixture
def refuse(accounts, tmp_path):
    folder = tmp_path / "pam.d"
    folder.mkdir()
    accounts.add_group(GROUP, ["alice"])

    def refuse(users=(), groups=(), joining=(), login=LOGIN):
        (folder / "login").write_text(login)
        try:
            refuse_no_console(PamConfig(str(folder)), GROUP, Exemptions(users, groups), joining)
        except FleetMfaError as error:
            return str(error)
        return ""

    return refuse


def password(user, field="$6$salt$hash"):
    lines = Path("/etc/shadow").read_text().splitlines(keepends=True)
    lines = [line for line in lines if not line.startswith(f"{user}:")]
    Path("/etc/shadow").write_text("".join(lines) + f"{user}:{field}:20000:0:99999:7:::\n")


def test_root_with_a_password(refuse):
    password("root")
    assert refuse() == ""
    assert "root is a member of mfa-enforced" in refuse(joining=["root"])


@pytest.mark.parametrize("field", ["*", "!", "!$6$salt$hash", ""])
def test_root_without_one(refuse, field):
    password("root", field)
    said = refuse()
    assert "nobody could log in at the console without one: root has no password. Give root" in said
    assert "leave login out (mfa_services)" in said


def test_an_exempt_account_in_its_place(refuse, accounts):
    password("root", "*")
    password("bob")
    assert refuse(["bob"]) == ""
    accounts.add_group("spare", ["bob"])
    assert refuse(groups=["spare", "missing"]) == ""
    assert "bob is a member of mfa-enforced" in refuse(["bob"], joining=["bob"])
    assert "carol has no password" in refuse(["carol"])
    assert "nobody-here is no account" in refuse(["nobody-here"])
    password("alice")
    assert "alice is a member of mfa-enforced" in refuse(["alice"])


def test_a_service_that_denies_them_all_the_same(refuse):
    password("root")
    assert "root is denied by PAM service login" in refuse(
        login="auth requisite pam_succeed_if.so user != root\n" + LOGIN
    )


def test_an_account_without_a_login_shell(refuse, accounts):
    password("root", "*")
    accounts.add("spare", login_shell="/usr/sbin/nologin")
    password("spare")
    assert "spare has no login shell" in refuse(["spare"])
