# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The folder of keys is missing: nobody gets in without a token because of that, and nobody else notices."""

from __future__ import annotations

import pytest

from lab.logins import login


@pytest.fixture
def lost(root):
    root.run_expect([0], "mv /var/lib/fleetmfa/keys /var/lib/fleetmfa/keys.away")
    yield
    root.run_expect([0], "mv /var/lib/fleetmfa/keys.away /var/lib/fleetmfa/keys")


def test_validated_is_denied_and_others_are_not(server, keys, lost):
    assert not login(server, "alice", [keys["alice"].token()]).allowed
    for user in ("bob", "carol", "ops"):
        attempt = login(server, user)
        assert attempt.allowed and not attempt.asked, user
