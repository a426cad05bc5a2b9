# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Where the account check goes, and that the file comes back byte for byte."""

from __future__ import annotations

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.account_check import account_lines, plan_account_check
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.base import without_us
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.config import PamConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.named_rules import named_rules
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.service import plan_block
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.files import apply_all

LINES = account_lines(["sshd", "sshd-mfa"], "/var/lib/fleetmfa/enforced", "/usr/local/libexec/fleetmfa/totp-guard")
COMMON = """\
# managed by pam-auth-update
# here are the per-package modules (the "Primary" block)
account	[success=1 new_authtok_reqd=done default=ignore]	pam_unix.so
account	requisite			pam_deny.so
account	required			pam_permit.so
"""
DEBIAN = "@include common-auth\naccount required pam_nologin.so\n@include common-account\n@include common-session\n"
RHEL = "auth substack password-auth\naccount required pam_sepermit.so\naccount include password-auth\n"


@pytest.fixture
def confdir(tmp_path):
    files = {"sshd": DEBIAN, "common-account": COMMON, "common-auth": "auth required pam_unix.so\n"}
    files.update({"common-session": "session required pam_unix.so\n", "other": "auth required pam_deny.so\n"})
    files["password-auth"] = "account required pam_unix.so\n"
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def put(confdir, *services, lines=LINES, planned=()):
    changes = plan_account_check(str(confdir), services, lines, planned)
    apply_all(changes)
    return {change.path.rsplit("/", 1)[1] for change in changes if change.changed}


def test_above_what_pam_auth_update_manages_and_back(confdir):
    assert put(confdir, "sshd") == {"common-account"}
    text = (confdir / "common-account").read_text()
    assert text.index("BEGIN fleetmfa.ssh account check") < text.index(LINES) < text.index("# here are the per-package")
    assert put(confdir, "sshd") == set()
    assert put(confdir, lines=None) == {"common-account"}
    assert (confdir / "common-account").read_text() == COMMON


def test_in_the_service_where_it_includes_no_common_account(confdir):
    (confdir / "sshd").write_text(RHEL)
    assert put(confdir, "sshd") == {"sshd"}
    text = (confdir / "sshd").read_text()
    assert text.index("auth substack") < text.index(LINES) < text.index("account required pam_sepermit")


def test_a_link_is_not_written_through(confdir):
    (confdir / "common-account").rename(confdir / "common-account-pc")
    (confdir / "common-account").symlink_to("common-account-pc")
    assert put(confdir, "sshd") == {"sshd"}
    assert (confdir / "common-account-pc").read_text() == COMMON


def test_beside_the_token_lines_in_one_file(confdir):
    (confdir / "sshd").write_text(RHEL)
    token = plan_block(str(confdir), "sshd", "auth required pam_deny.so")
    assert put(confdir, "sshd", planned=[token]) == {"sshd"}
    assert (confdir / "sshd").read_text().count("# BEGIN fleetmfa.ssh") == 2
    assert put(confdir, lines=None) == {"sshd"}
    assert (confdir / "sshd").read_bytes() == token.after


def test_a_service_without_account_lines_keeps_those_of_other(confdir):
    (confdir / "sshd").write_text("auth required pam_unix.so\n")
    assert put(confdir, "sshd") == set()


def test_moves_with_the_include(confdir):
    put(confdir, "sshd")
    (confdir / "sshd").write_text(RHEL)
    assert put(confdir, "sshd") == {"sshd", "common-account"}
    assert (confdir / "common-account").read_text() == COMMON


@pytest.mark.parametrize("guard", ["/opt/my guard", "/opt/a]b", "/opt/$(id)"])
def test_what_a_pam_line_would_read_otherwise_is_refused(guard):
    with pytest.raises(FleetMfaError, match="account_check.*characters with a special meaning in a PAM line"):
        account_lines(["sshd"], "/var/lib/fleetmfa/enforced", guard)


@pytest.mark.parametrize("text", [DEBIAN, RHEL], ids=["common-account", "the service"])
def test_the_lines_are_no_rules_of_the_host(confdir, text):
    """Else a host whose enforced users have a service of their own would go over to the shared one at the second run."""
    (confdir / "sshd").write_text(text)
    put(confdir, "sshd")
    config = PamConfig(str(confdir))
    assert named_rules(config, "sshd")
    assert named_rules(without_us(config, ["sshd"]), "sshd") == []
