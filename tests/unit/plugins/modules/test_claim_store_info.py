# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What is said of a claim store that no login could use; tests/unit/roles asks a real one."""

from __future__ import annotations

import os

import pytest

NOBODY_LISTENS = "https://127.0.0.1:9"


@pytest.fixture
def ask(run_module, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("needs root, who owns the private key")
    key = tmp_path / "key.pem"
    key.write_text("no key\n")
    key.chmod(0o600)

    def run(**options):
        given = {"endpoints": [NOBODY_LISTENS], "ca": "/ca", "cert": "/cert", "key": str(key), **options}
        return run_module("claim_store_info", **given)

    run.key = key
    return run


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660])
def test_others_can_read_the_key(ask, mode):
    ask.key.chmod(mode)
    assert ask()["msg"].startswith(f"key: others than root can read {ask.key}; make root its owner")


def test_another_owns_the_key(ask):
    os.chown(ask.key, 65534, -1)
    assert "make root its owner" in ask()["msg"]


def test_no_key(ask):
    assert ask(key="/nonexistent")["msg"].startswith("key: /nonexistent cannot be read (No such file or directory)")


def test_a_ca_that_is_none(ask):
    result = ask()
    assert result["failed"] and result["msg"].startswith("the CA /ca cannot be used (No such file or directory)")


@pytest.mark.parametrize("timeout", [0, 11])
def test_a_time_out_of_range(ask, timeout):
    assert "timeout: " in ask(timeout=timeout)["msg"]
