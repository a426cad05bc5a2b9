# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A host on which only root can log in, including Ansible, and root cannot answer a prompt: it is never locked."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.comes_with("root_only")

SECRET = "JEZ6WLVQ2M4KX3YTQ7RHPBDUNC5OGFAS"


@pytest.fixture
def site_with_root(site):
    """`site` as root, with a key for root in this state."""

    def run(state, **variables):
        root = {"user": "root", "secret": SECRET, "state": state}
        mine = {"ansible_user": "root", "mfa_users": ["root"], "mfa_keys": [root], "mfa_exempt_users": []}
        return site("-e", json.dumps({**mine, **variables}))

    return run


def test_validated_key_of_root_is_refused_before_anything_counts(site_with_root, root, is_as_before, gets_in_by_key):
    went_well, printed = site_with_root("validated")
    assert not went_well
    assert "mfa_exempt_users" in printed
    assert is_as_before()
    assert "root" not in root.run("getent group mfa-enforced").stdout
    assert gets_in_by_key("root")


def test_pending_key_of_root_asks_nothing(site_with_root, gets_in_by_key):
    went_well, printed = site_with_root("present")
    assert went_well, printed
    assert gets_in_by_key("root")


def test_key_that_becomes_validated_on_an_enforcing_host_is_refused(site_with_root, gets_in_by_key):
    went_well, printed = site_with_root("validated")
    assert not went_well and "mfa_exempt_users" in printed, printed
    assert gets_in_by_key("root")


def test_exempt_root_gets_in(site_with_root, gets_in_by_key):
    went_well, printed = site_with_root("validated", mfa_exempt_users=["root"])
    assert went_well, printed
    assert gets_in_by_key("root")
