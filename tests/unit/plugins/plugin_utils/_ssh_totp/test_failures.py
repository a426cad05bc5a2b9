# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Which failure is which, by what real clients print."""

from __future__ import annotations

import pytest
from ansible.plugins.connection import ssh

from ansible_collections.fleetmfa.ssh.plugins.doc_fragments.core_ssh import ModuleDocFragment
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._ssh_totp.failures import explanation, with_reasons_of_drop

yaml = pytest.importorskip("yaml")


@pytest.mark.parametrize(
    ("stderr", "asked", "part"),
    [
        ("alice@web1: Permission denied (keyboard-interactive).", True, "did not accept the token of alice"),
        ("alice@web1: Permission denied (keyboard-interactive).", False, "before it asked for a token"),
        ("alice@web1: Permission denied (publickey).", False, "did not accept any SSH key"),
        (
            "kex_exchange_identification: Connection closed by remote host\nConnection closed by 192.0.2.1 port 22",
            False,
            "web1 drops connections from this address: PerSourcePenalties",
        ),
        ("Not allowed at this time\r\n", False, "web1 drops connections from this address: PerSourcePenalties"),
        ("Connection closed by 192.0.2.1 port 22", False, "Either the account is locked or expired there"),
    ],
)
def test_failures(stderr, asked, part):
    assert part in explanation(stderr, asked, "alice", "web1")


def test_a_dropped_confirming_login_names_the_penalties():
    dropped = "Failed to connect to the host via ssh: kex_exchange_identification: Connection closed by remote host"
    told = with_reasons_of_drop(dropped)
    assert told.startswith(dropped) and "mfa_penalty_exempt" in told
    for already_clear in (told, "Permission denied (publickey)."):
        assert with_reasons_of_drop(already_clear) == already_clear


def test_nothing_is_added_to_what_ssh_says_itself():
    assert (
        explanation("ssh: Could not resolve hostname web1: Name or service not known", False, "alice", "web1") is None
    )


def test_all_options_of_core_are_there():
    assert set(yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]) == set(
        yaml.safe_load(ssh.DOCUMENTATION)["options"]
    )
