# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Which lines of a service say something else under another service name."""

from __future__ import annotations

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.config import PamConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.named_rules import named_rules

PLAIN = "auth required pam_unix.so\n@include common\nsession required pam_limits.so\nauth required pam_succeed_if.so user = alice\n"


def rules(tmp_path, **files):
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    return named_rules(PamConfig(str(tmp_path)), "sshd")


@pytest.mark.parametrize(
    "line",
    [
        "account required pam_time.so",
        "auth optional pam_group.so",
        "-account [default=bad success=ok] /usr/lib/x86_64-linux-gnu/security/pam_sss.so",
        "account sufficient pam_ldap.so",
        "auth required pam_succeed_if.so quiet service in sshd:login",
        "account required pam_slurm_adopt.so",
        "session optional pam_exec.so /usr/local/bin/tell-the-house",
        "auth required pam_listfile.so item=service sense=allow file=/etc/services.allowed",
    ],
)
def test_lines_that_go_by_the_name_are_found_through_includes(tmp_path, line):
    module = next(word for word in line.split() if word.endswith(".so")).rpartition("/")[2]
    assert rules(tmp_path, sshd=PLAIN, common=f"# shared\n{line}\n") == [f"{tmp_path}/common:2 {module}"]


def test_others_do_not(tmp_path):
    assert (
        rules(tmp_path, sshd=PLAIN, common="account required pam_unix.so\n", other="auth required pam_time.so\n") == []
    )


@pytest.mark.parametrize(
    "text", ["@include missing\n", "auth include\n", "account required pam_time.so\n@include missing\n"]
)
def test_a_service_that_libpam_cannot_read_rules_nobody(tmp_path, text):
    assert rules(tmp_path, sshd=text) == []
