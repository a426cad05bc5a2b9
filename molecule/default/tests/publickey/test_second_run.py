# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A second run right after logins changes nothing, and what was used stays used."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lab.logins import login


@pytest.fixture(scope="module")
def used(server, keys, playbook):
    """A token and a recovery code, each used for one login before a second run of the playbook."""
    token, code = keys["second"].token(), keys["spent"].recovery_codes[0]
    assert login(server, "second", [token]).allowed
    assert login(server, "spent", [code]).allowed
    output = playbook(Path(__file__).parents[2] / "converge.yml", "--limit", server.name)
    changed = re.findall(rf"^{server.name} .*changed=(\d+)", output, re.MULTILINE)
    return {"token": token, "code": code, "changed": changed}


def test_second_run_changes_nothing(used):
    assert used["changed"] == ["0"]


def test_used_token_stays_used(server, used):
    attempt = login(server, "second", [used["token"]])
    assert attempt.asked and not attempt.allowed


def test_used_recovery_code_stays_used(server, root, used):
    assert used["code"] not in root.file("/var/lib/fleetmfa/keys/spent").content_string
    attempt = login(server, "spent", [used["code"]])
    assert attempt.asked and not attempt.allowed
