# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Entries of option probes: what they mean, and how each mistake is named."""

from __future__ import annotations

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._login_probe.entries import read_entries

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
GOOD = {"user": "alice", "expect": "asked"}


def test_defaults():
    entry = read_entries([GOOD])[0]
    assert entry == ("probes, entry 1 ('alice')", "alice", "alice", "asked", None, None, None, True, None, None)


@pytest.mark.parametrize(
    ("given", "agent"),
    [
        ({}, True),
        ({"key_file": "/k"}, False),
        ({"password": "p"}, False),
        ({"key_file": "/k", "agent": "yes"}, True),
        ({"agent": False}, False),
    ],
)
def test_the_agent_is_asked_unless_something_else_is_given(given, agent):
    assert read_entries([{**GOOD, **given}])[0].agent is agent


def test_one_host_may_be_a_text():
    assert read_entries([{**GOOD, "hosts": "web1"}])[0].hosts == ["web1"]


def test_neither_the_entry_nor_a_doubtful_user_is_shown():
    entry = read_entries([{**GOOD, "user": "123456", "secret": SECRET}])[0]
    assert (entry.place, entry.user) == ("probes, entry 1", "123456")
    assert SECRET not in repr(entry) and "123456" not in entry.name


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (None, "probes: must be a list"),
        ({}, "probes: must be a list"),
        ([], "probes: is empty, so nothing was compared"),
        ([GOOD, "alice"], "probes, entry 2: must be a dictionary"),
        ([GOOD, {**GOOD, SECRET: 1}], r"probes, entry 2 \('alice'\): must be a dictionary with user, expect"),
        ([{"expect": "asked"}], "probes, entry 1: user: is missing"),
        ([{**GOOD, "user": "../a"}], "probes, entry 1 .*cannot be the name of a user"),
        ([{**GOOD, "user": [SECRET]}], "probes, entry 1: user: must be a text"),
        ([{"user": "alice"}], "expect: must be one of asked, not_asked, denied"),
        ([{**GOOD, "expect": "123456"}], "expect: must be one of asked, not_asked, denied"),
        ([{**GOOD, "hosts": []}], "hosts: is empty, so nothing would be compared"),
        ([{**GOOD, "hosts": {"web1": 1}}], "hosts: must be a list of names"),
        ([{**GOOD, "hosts": ["web1", "web1,web2"]}], "hosts: number 2 is neither"),
        ([{**GOOD, "hosts": ["-oProxyCommand=x"]}], "hosts: number 1 is neither"),
        ([{**GOOD, "port": 0}], "port: 0 is not in the range 1 to 65535"),
        ([{**GOOD, "port": "123456"}], "port: must be a number"),
        ([{**GOOD, "agent": SECRET}], "agent: must be true or false"),
        ([{**GOOD, "password": 12345678}], "password: must be a text"),
        ([{**GOOD, "secret": {"a": SECRET}}], "secret: must be a text"),
    ],
)
def test_mistakes(given, told):
    with pytest.raises(FleetMfaError, match=told) as caught:
        read_entries(given)
    assert SECRET not in str(caught.value) and "123456" not in str(caught.value)
