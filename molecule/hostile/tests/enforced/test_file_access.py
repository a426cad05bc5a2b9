# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Who may write to the files that decide about logins is the same with the token as without."""

from __future__ import annotations

import pytest

from lab.logins import login

pytestmark = pytest.mark.comes_with("acl")

FILES = ["ssh/sshd_config", "pam.d/sshd"]


def test_changed_files_keep_what_is_not_content(root, attributes):
    for name in FILES:
        assert root.run(f"cmp /root/{name} /etc/{name}").rc == 1, "site has not changed it"
        was, now = attributes("/root", name), attributes("/etc", name)
        assert "system.posix_acl_access" in was and "user.origin" in was
        assert now == was


@pytest.mark.parametrize(
    ("user", "may_write"), [("bob", True), ("carol", False)], ids=["named by the ACL", "in the group"]
)
def test_who_could_not_write_cannot_now(server, user, may_write):
    for name in FILES:
        attempt = login(server, user, command=f"sh -c ': >> /etc/{name}' && echo written || echo refused")
        assert attempt.output.endswith("written" if may_write else "refused"), attempt
