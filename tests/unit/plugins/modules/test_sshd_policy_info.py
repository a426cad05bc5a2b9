# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""sshd_policy_info as Ansible calls it, for the accounts of the machine that runs the test."""

from __future__ import annotations

from ansible_collections.fleetmfa.ssh.tests.support.sshd_host import (
    DEBIAN,
    POLICY,
    SshdHost,
    needs_sshd,
)


def options(host, **changes):
    """Of a call; where it comes from is no option, the module is told by the connection."""
    wish = host.audit_wish(enrollment=None, **changes)
    del wish["connecting_address"]
    return wish


@needs_sshd
def test_report(tmp_path, run_module):
    host = SshdHost(tmp_path)
    host.write(DEBIAN + "PermitRootLogin prohibit-password\n", {"00-fleetmfa.conf": POLICY})
    result = run_module("sshd_policy_info", **options(host, assume_enforced=["root"]))
    assert not result["changed"]
    assert set(result["capabilities"]) == {"pam_service_name", "separate_challenge_response"}
    root = next(one for one in result["classes"] if "root" in one["examples"])
    assert (root["enforced"], root["verdict"]) == (True, "locked_out")
    finding = next(one for one in result["findings"] if one["id"] == "sshd_root_cannot_pass")
    assert finding["severity"] == "high"
    assert f"{host.config}:7: permitrootlogin prohibit-password" in finding["evidence"][0]


@needs_sshd
def test_missing_configuration_is_named(tmp_path, run_module):
    host = SshdHost(tmp_path)
    result = run_module("sshd_policy_info", **options(host))
    assert result["failed"] and str(host.config) in result["msg"]
