# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The settings file: what the role writes is what the program reads; what cannot be read is no setting."""

from __future__ import annotations

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._claims.settings import read_claim_settings
from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError

TEXT = """# Ansible managed
# endpoints = https://commented:1
endpoints = https://a:2379 https://b:2379
ca = /ca.pem
cert = /cert.pem
key = /a=b/key.pem
prefix = /fleetmfa/claims/
timeout = 3
unreachable = deny
"""


def test_what_is_read(tmp_path):
    path = tmp_path / "claims.conf"
    path.write_text(TEXT)
    settings = read_claim_settings(str(path))
    assert settings.endpoints == ["https://a:2379", "https://b:2379"]
    assert (settings.ca, settings.cert, settings.key) == ("/ca.pem", "/cert.pem", "/a=b/key.pem")
    assert (settings.prefix, settings.timeout) == ("/fleetmfa/claims/", 3)


@pytest.mark.parametrize("name", ["endpoints", "ca", "cert", "key", "prefix", "timeout"])
def test_a_setting_that_is_missing(tmp_path, name):
    path = tmp_path / "claims.conf"
    path.write_text("".join(line for line in TEXT.splitlines(True) if not line.startswith(name)))
    with pytest.raises(FleetMfaError, match=f"{name} is missing; run the role again"):
        read_claim_settings(str(path))


@pytest.mark.parametrize("content", [TEXT.replace("= 3", "= soon").encode(), b"\xff"])
def test_what_cannot_be_read(tmp_path, content):
    path = tmp_path / "claims.conf"
    path.write_bytes(content)
    with pytest.raises(FleetMfaError, match="cannot be read"):
        read_claim_settings(str(path))


def test_no_file(tmp_path):
    with pytest.raises(FleetMfaError, match="cannot be read"):
        read_claim_settings(str(tmp_path / "claims.conf"))
