# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""sshd_config read as sshd reads it: order, Includes, the reach of Match lines, and copies that mean the same."""

from __future__ import annotations

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.binary import Sshd
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.config import SshdConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.match import Connection
from ansible_collections.fleetmfa.ssh.tests.support.sshd_host import SshdHost, needs_sshd


def read(config):
    return [(d.file.rsplit("/", 1)[1], d.line, d.keyword, [m.criteria for m in d.matches]) for d in config.directives]


def test_order_and_reach_of_match(tmp_path):
    host = SshdHost(tmp_path)
    host.write(
        "Include DROPINS/*.conf\nPort 22\nMatch User x\nBanner none\nInclude DROPINS/late\nX11Forwarding no\n",
        {
            "20-b.conf": "PermitTTY yes\n",
            "10-a.conf": "Match Group g\nPermitTTY no\n",
            "late": "Match User y\nBanner a\n",
        },
    )
    (host.dropins / ".hidden.conf").write_text("PermitTTY no\n")
    x, y, g = (("user", "x"),), (("user", "y"),), (("group", "g"),)
    assert read(SshdConfig(str(host.config))) == [
        ("10-a.conf", 2, "permittty", [g]),
        ("20-b.conf", 1, "permittty", []),
        ("sshd_config", 2, "port", []),
        ("sshd_config", 4, "banner", [x]),
        ("late", 2, "banner", [x, y]),
        ("sshd_config", 6, "x11forwarding", [x]),
    ]


def test_planned_files_stand_for_those_on_disk(tmp_path):
    host = SshdHost(tmp_path)
    host.write("Include DROPINS/*.conf\n", {"10-a.conf": "Port 22\n"})
    planned = {str(host.path): b"Port 23\n", str(host.dropins / "10-a.conf"): None}
    assert read(SshdConfig(str(host.config), planned)) == [("00-fleetmfa.conf", 1, "port", [])]
    assert read(SshdConfig(str(host.config), {str(host.config): b"Port 1"})) == [("sshd_config", 1, "port", [])]


def test_circle_and_missing_file_are_refused(tmp_path):
    host = SshdHost(tmp_path)
    host.write("Include DROPINS/../sshd_config\n")
    with pytest.raises(FleetMfaError, match="circle"):
        SshdConfig(str(host.config))
    with pytest.raises(FleetMfaError, match="cannot read .*missing"):
        SshdConfig(str(tmp_path / "missing"))


@needs_sshd
def test_staged_copy_means_the_same(tmp_path):
    host = SshdHost(tmp_path)
    host.write(
        'Include DROPINS/*.conf "DROPINS/with blank" DROPINS/none*\nMatch User x\n Include DROPINS/late\nMatch all\n Banner /z\r\n',
        {"10-a.conf": "UsePAM yes\nMatch User y\n Banner /y", "late": "Match Address 10.0.0.0/8\n Banner /x\n"},
    )
    (host.dropins / "with blank").write_text("PermitTTY no\n")
    (tmp_path / "staged").mkdir()
    copies = SshdConfig(str(host.config)).stage(str(tmp_path / "staged"))
    sshd = Sshd(str(host.sshd))
    for user in ("x", "y", "z"):
        for address in ("10.1.1.1", "192.0.2.1"):
            connection = Connection(address, address)
            original = sshd.effective(str(host.config), user, connection)
            assert sshd.effective(copies[str(host.config)], user, connection) == original
    assert original["banner"] == ["/z"]


@needs_sshd
def test_versions_and_capabilities(tmp_path):
    sshd = Sshd(str(SshdHost(tmp_path).sshd))
    assert sshd.version >= (8, 0)
    for version, separate, service_name, include in (
        ((8, 0), True, False, False),
        ((8, 4), True, False, True),
        ((8, 7), False, False, True),
        ((9, 8), False, True, True),
        ((10, 0), False, True, True),
    ):
        sshd._version = version
        found = (sshd.separate_challenge_response, sshd.pam_service_name, sshd.has_include)
        assert found == (separate, service_name, include), version


def test_camel_case_keywords_and_warnings(tmp_path):
    """10.6 prints CamelCase; warnings stand on the other stream."""
    fake = tmp_path / "sshd"
    fake.write_text(
        "#!/bin/sh\necho 'config line 1: Deprecated option X' >&2\necho 'UsePAM yes'\necho 'AcceptEnv A'\necho 'AcceptEnv B'\n"
    )
    fake.chmod(0o755)
    assert Sshd(str(fake)).effective("x", "alice", Connection()) == {"usepam": ["yes"], "acceptenv": ["A", "B"]}


def test_no_sshd_is_named(tmp_path):
    with pytest.raises(FleetMfaError, match="install the OpenSSH server or set option binary"):
        Sshd(str(tmp_path / "none"))
