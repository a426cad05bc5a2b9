# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Whatever the host's original configuration, after `site` enforced users are asked, and nobody else notices."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.comes_with(
    *("cloud_init", "shadowing_dropin", "shadowing_line", "include_below_match", "no_include", "off_early"),
    *("rhel", "suse", "pam_access", "pam_group", "pam_service"),
)


@pytest.mark.parametrize("user", ["alice", "dave"])
def test_enforced_user_needs_the_token(user, gets_in_by_key, gets_in_with_a_token):
    assert not gets_in_by_key(user)
    assert gets_in_with_a_token(user)


@pytest.mark.parametrize("user", ["bob", "carol", "ansible"], ids=["pending", "no key", "exempt"])
def test_others_get_in_by_key_as_before(user, gets_in_by_key):
    assert gets_in_by_key(user)
