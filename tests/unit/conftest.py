# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Runs a module's real main() in this process: real arguments in, the JSON it printed out."""

from __future__ import annotations

import importlib
import json

import pytest
from ansible.module_utils.common import warnings
from ansible.module_utils.testing import patch_module_args


@pytest.fixture
def run_module(capsys, monkeypatch):
    """run_module("totp_key", keys=[...], check_mode=True, diff_mode=True) -> the module's result as a dictionary."""

    # Ansible keeps warnings for the life of the process, and would tell an earlier test's again.
    monkeypatch.setattr(warnings, "_global_warnings", {})

    def run(name, check_mode=False, diff_mode=False, **arguments):
        module = importlib.import_module(f"ansible_collections.fleetmfa.ssh.plugins.modules.{name}")
        arguments.update(_ansible_check_mode=check_mode, _ansible_diff=diff_mode)
        capsys.readouterr()
        with patch_module_args(arguments), pytest.raises(SystemExit):
            module.main()
        return json.loads(capsys.readouterr().out.strip().splitlines()[-1])

    return run
