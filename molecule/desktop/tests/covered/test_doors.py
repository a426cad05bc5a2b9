# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Every door asks an enforced user for the token after the password. bob has no key and dave has not validated his: they notice nothing."""

from __future__ import annotations

import pytest

PASSWORD = "correct horse"  # noqa: S105
OTHERS = pytest.mark.parametrize("user", ["bob", "dave"])


class TestPolkit:
    """The administrator is chosen first (C): the token is that account's, whoever calls."""

    def test_of_an_enforced_administrator(self, pkexec, keys):
        assert pkexec("carol", "carol", "wrong") == ("CP", "")
        assert pkexec("carol", "carol", PASSWORD) == ("CPT", "")
        assert pkexec("carol", "carol", PASSWORD, keys["carol"].wrong_token()) == ("CPT", "")
        token = keys["carol"].token()
        assert pkexec("carol", "carol", PASSWORD, token) == ("CPT", "root")
        assert pkexec("carol", "carol", PASSWORD, token) == ("CPT", "")
        assert pkexec("erin", "carol", PASSWORD, keys["carol"].token()) == ("CPT", "root")

    def test_of_others(self, pkexec):
        assert pkexec("dave", "dave", PASSWORD) == ("CP", "root")
        assert pkexec("carol", "bob", PASSWORD) == ("CP", "root")
        assert pkexec("bob", "bob", "wrong") == ("CP", "")


class TestCockpit:
    def test_of_an_enforced_user(self, cockpit, keys):
        assert cockpit("erin", "wrong") == ("P", "")
        assert cockpit("erin", PASSWORD) == ("PT", "")
        assert cockpit("erin", PASSWORD, keys["erin"].wrong_token()) == ("PT", "")
        token = keys["erin"].token()
        assert cockpit("erin", PASSWORD, token) == ("PT", "erin")
        assert cockpit("erin", PASSWORD, token) == ("PT", "")

    @OTHERS
    def test_of_others(self, cockpit, user):
        assert cockpit(user, PASSWORD) == ("P", user)
        assert cockpit(user, "wrong") == ("P", "")

    def test_its_page(self, cockpit_page, keys):
        assert cockpit_page("bob", PASSWORD) == ("P", "bob")
        assert cockpit_page("erin", "wrong") == ("P", "")
        assert cockpit_page("erin", PASSWORD, keys["erin"].wrong_token()) == ("PT", "")
        assert cockpit_page("erin", PASSWORD, keys["erin"].token()) == ("PT", "erin")


class TestLightdm:
    """With lightdm-gtk-greeter. Both prompts are P, since LightDM's log has no texts."""

    def test_of_an_enforced_user(self, lightdm, keys):
        assert lightdm("alice", "wrong") == ("P", "")
        assert lightdm("alice", PASSWORD) == ("PP", "")
        assert lightdm("alice", PASSWORD, keys["alice"].wrong_token()) == ("PP", "")
        token = keys["alice"].token()
        assert lightdm("alice", PASSWORD, token) == ("PP", "alice")
        assert lightdm("alice", PASSWORD, token) == ("PP", "")

    @OTHERS
    def test_of_others(self, lightdm, user):
        assert lightdm(user, PASSWORD) == ("P", user)


class TestGdm:
    """Its PAM service only, by pamtester."""

    def test_of_an_enforced_user(self, gdm, keys):
        assert gdm("frank", "wrong") == ("P", "")
        assert gdm("frank", PASSWORD) == ("PT", "")
        assert gdm("frank", PASSWORD, keys["frank"].wrong_token()) == ("PT", "")
        assert gdm("frank", PASSWORD, keys["frank"].token()) == ("PT", "frank")

    @OTHERS
    def test_of_others(self, gdm, user):
        assert gdm(user, PASSWORD) == ("P", user)


class TestXrdp:
    """xrdp-sesman is refused, and the reason is true: with the lines of another service it denies enforced users, and only them."""

    @pytest.fixture
    def with_lines(self, root):
        root.run_expect([0], "cp -a /etc/pam.d/xrdp-sesman /root/")
        block = "sed -n '/^# BEGIN fleetmfa.ssh$/,/^# END fleetmfa.ssh$/p' /etc/pam.d/lightdm > /root/block"
        root.run_expect(
            [0],
            f"{block} && test -s /root/block && sed -i '/^@include common-auth/r /root/block' /etc/pam.d/xrdp-sesman",
        )
        yield
        root.run_expect([0], "mv /root/xrdp-sesman /etc/pam.d/")

    def test_it_does_not_ask(self, xrdp):
        assert xrdp("frank", PASSWORD).ran_as == "frank"
        assert xrdp("bob", "wrong").ran_as == ""

    def test_with_lines_it_would_deny_enforced_users(self, with_lines, xrdp, keys):
        assert xrdp("frank", PASSWORD, keys["frank"].token()).ran_as == ""
        assert xrdp("bob", PASSWORD).ran_as == "bob"
