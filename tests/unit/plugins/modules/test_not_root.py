# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A forgotten become is said first, by every module that needs root, and nothing else is."""

from __future__ import annotations

import os

import pytest

OPTIONS = {
    "notice_command_info": {"command": ["/bin/true"]},
    "claim_store_info": {"endpoints": ["https://127.0.0.1:9"], "ca": "/x", "cert": "/x", "key": "/x"},
    "host_audit_info": {},
    "host_files": {"files": [{"path": "/etc/fleetmfa/x", "content": "x"}]},
    "pam_totp": {"service": "sshd", "state": "absent"},
    "sshd_policy_info": {},
    "sshd_totp": {"state": "absent"},
    "totp_host": {"provisioning": {"users": ["nobody-here"]}},
    "totp_key": {"keys": [{"user": "nobody-here"}]},
    "totp_key_info": {},
    "totp_rollout": {"state": "absent"},
    "totp_validate": {"validations": [{"user": "nobody-here", "tokens": ["123456", "234567"]}]},
}


@pytest.mark.parametrize("check_mode", [True, False])
@pytest.mark.parametrize(("module", "options"), OPTIONS.items())
def test_not_root_is_said_first(run_module, monkeypatch, module, options, check_mode):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    result = run_module(module, check_mode=check_mode, **options)
    assert result["failed"] and result["msg"].startswith("this needs root but runs as user id 1000; set become: true")
    assert "findings" not in result and "write" not in result["msg"]
