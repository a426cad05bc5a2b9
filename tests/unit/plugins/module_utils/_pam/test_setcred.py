# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors

from __future__ import annotations

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.config import PamConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.setcred import set_credentials

SSHD = "@include common-auth\n"
COMMON_AUTH = (
    "auth [success=1 default=ignore] pam_unix.so nullok\n"
    "auth requisite pam_deny.so\n"
    "auth required pam_permit.so\n"
    "auth optional pam_cap.so\n"
)


def credentials(sshd, **options):
    return set_credentials(PamConfig("/nonexistent", {"sshd": sshd, "common-auth": COMMON_AUTH}), "sshd", **options)


def block(gate, last):
    return (
        f"auth [{gate}] pam_succeed_if.so quiet user ingroup mfa\n"
        "auth requisite pam_google_authenticator.so\n"
        f"auth sufficient {last}\n"
    )


def test_the_distributions_stack():
    found = credentials(SSHD)
    assert found.succeeds == "always"
    assert {(line.module, line.how_often) for line in found.reached} == {
        ("pam_unix.so", "always"),
        ("pam_permit.so", "always"),
        ("pam_cap.so", "always"),
    }


def test_a_block_that_leaves_the_rest_as_it_was():
    after = credentials(
        block("success=ignore ignore=ignore auth_err=2 default=die", "pam_succeed_if.so user ingroup mfa") + SSHD
    )
    assert after.succeeds == "always"
    assert credentials(SSHD).reached <= after.reached


def test_a_gate_that_dies_of_ignore_throws_everybody_out():
    after = credentials(block("success=ignore auth_err=2 default=die", "pam_succeed_if.so user ingroup mfa") + SSHD)
    assert after.succeeds == "never"
    assert after.failure == ["/nonexistent/sshd:1: pam_succeed_if.so returned ignore from setcred"]


def test_a_permit_that_ends_the_walk_is_seen():
    after = credentials(block("success=ignore ignore=ignore auth_err=2 default=die", "pam_permit.so") + SSHD)
    assert after.succeeds == "always"
    assert not credentials(SSHD).reached <= after.reached


def test_a_jump_that_only_debians_libpam_forgives():
    after = credentials("auth [default=1] pam_succeed_if.so user ingroup mfa\nauth required pam_deny.so\n" + SSHD)
    assert after.succeeds == "sometimes"


@pytest.mark.parametrize(
    ("sshd", "succeeds"),
    [
        ("auth required pam_exec.so /bin/true\n", "never"),
        ("auth required pam_unknown.so\nauth optional pam_warn.so\n", "sometimes"),
        (
            "auth [success=1 default=ignore] pam_unknown.so\nauth required pam_deny.so\nauth required pam_permit.so\n",
            "sometimes",
        ),
        ("@include missing\n", "never"),
    ],
)
def test_walks_that_fail(sshd, succeeds):
    found = credentials(sshd)
    assert found.succeeds == succeeds
    assert found.failure


def test_a_missing_module():
    assert credentials("auth required pam_permit.so\n", is_installed=lambda module: False).succeeds == "never"
