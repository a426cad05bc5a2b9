# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Every door asks an enforced user for the token after the password, once for each token, and nobody else."""

from __future__ import annotations

import pytest

from lab.logins import login

PASSWORD = "correct horse"  # noqa: S105
WRONG = "000000"


class TestSu:
    def test_into_an_enforced_account(self, su, keys):
        token = keys["alice"].token()
        assert su("bob", "alice", PASSWORD) == ("PT", "")
        assert su("bob", "alice", PASSWORD, keys["alice"].wrong_token()) == ("PT", "")
        assert su("bob", "alice", PASSWORD, token) == ("PT", "alice")
        assert su("bob", "alice", PASSWORD, token, options="-l") == ("PT", "")
        assert su("bob", "alice", PASSWORD, keys["alice"].token(), options="-l") == ("PT", "alice")

    def test_a_wrong_password_is_not_followed_by_a_prompt_for_a_token(self, su):
        assert su("bob", "alice", "wrong") == ("P", "")

    def test_into_other_accounts(self, su):
        assert su("alice", "bob", PASSWORD) == ("P", "bob")
        assert su("alice", "root", PASSWORD) == ("P", "root")
        assert su("root", "alice") == ("", "alice")


class TestSudo:
    def test_of_an_enforced_user(self, sudo, keys):
        token = keys["carol"].token()
        assert sudo("carol", PASSWORD) == ("PT", "")
        assert sudo("carol", PASSWORD, token) == ("PT", "root")
        assert sudo("carol") == ("", "root")  # within timestamp_timeout
        assert sudo("carol", options="-n") == ("", "root")
        assert sudo("carol", PASSWORD, token, options="-k") == ("PT", "")
        assert sudo("carol", PASSWORD, keys["carol"].token(), options="-k -i") == ("PT", "root")
        assert sudo("carol", options="-k -n") == ("", "")

    def test_of_others(self, sudo):
        assert sudo("bob", PASSWORD, options="-k") == ("P", "root")
        assert sudo("bob", options="-k -n") == ("", "")
        assert sudo("dave", options="-n") == ("", "root")

    def test_without_a_password_it_asks_for_nothing(self, sudo):
        """sudo does not call PAM then: docs/doors.md says so, and the audit."""
        assert sudo("erin", options="-n") == ("", "root")


class TestConsole:
    def test_of_an_enforced_user(self, console, keys):
        assert console("erin", "wrong") == ("P", "")
        assert console("erin", PASSWORD) == ("PT", "")
        assert console("erin", PASSWORD, keys["erin"].token()) == ("PT", "erin")

    @pytest.mark.parametrize("user", ["root", "bob"])
    def test_of_others(self, console, user):
        assert console(user, PASSWORD) == ("P", user)


def test_ssh_asks_as_ever(server, keys):
    assert login(server, "bob").allowed and not login(server, "bob").asked
    attempt = login(server, "alice", [keys["alice"].token()])
    assert attempt.asked and attempt.allowed
