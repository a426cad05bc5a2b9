# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""`remove` leaves each host exactly as it was originally."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.comes_with(
    *("cloud_init", "shadowing_dropin", "shadowing_line", "include_below_match", "no_include", "off_early"),
    *("rhel", "suse", "pam_access", "pam_group", "pam_service"),
)


def test_configuration_and_logins_are_as_before(is_as_before, gets_in_by_key):
    assert is_as_before()
    assert all(gets_in_by_key(user) for user in ("alice", "bob", "ansible"))
