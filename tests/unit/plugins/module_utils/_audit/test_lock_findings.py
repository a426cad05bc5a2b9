# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Hosts on which wrong tokens lock nobody: found with the lines that the role renders, and no false alarm where no lock can work."""

from __future__ import annotations

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit.host_findings import policy_findings
from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit.managed_pam import ManagedPam
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.block import block
from ansible_collections.fleetmfa.ssh.tests.support.token_lines import token_lines as rendered

OURS = {"lockout_missing", "failure_cap_missing"}
ALL = {*OURS, "lockout_weak"}


def token_lines(own=False, second_device=False, **settings):
    return rendered("/p", "/s", own_service=own, second_device=second_device, **settings)


def found(folder, lines):
    folder.mkdir(exist_ok=True)
    (folder / "sshd").write_bytes(block(lines.encode(), "a test"))
    return {finding.id for finding in policy_findings(ManagedPam(str(folder)))} & ALL


@pytest.mark.parametrize("factors", ["publickey+totp", "either"])
@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("second_device", [False, True])
def test_where_a_lock_works(tmp_path, factors, own, second_device):
    def lines(**settings):
        return token_lines(own, second_device, factors=factors, **settings)

    assert found(tmp_path / "a", lines()) == set()
    assert found(tmp_path / "c", lines(lock_after=0)) == {"lockout_missing"}
    if not second_device:
        assert found(tmp_path / "d", lines(guard=False)) == OURS


@pytest.mark.parametrize("second_device", [False, True])
@pytest.mark.parametrize(
    ("after", "seconds", "is_weak"),
    [
        (10, 1800, False),
        (10, 0, False),
        (1, 86400, False),
        (11, 1800, True),
        (11, 0, True),
        (10, 1799, True),
        (3, 1, True),
    ],
)
def test_numbers_of_pci_dss_8_3_4(tmp_path, after, seconds, is_weak, second_device):
    lines = token_lines(second_device=second_device, lock_after=after, lock_seconds=seconds)
    assert found(tmp_path / "a", lines) == ({"lockout_weak"} if is_weak else set())


def test_lines_of_an_older_version_count_nothing(tmp_path):
    lines = token_lines(factors="publickey+totp")
    older = "".join(line for line in lines.splitlines(keepends=True) if "totp-guard failed" not in line)
    assert older != lines and found(tmp_path / "a", older) == OURS


def evidence(folder, lines):
    (folder / "sshd").write_bytes(block(lines.encode(), "a test"))
    found = [one for one in policy_findings(ManagedPam(str(folder))) if one.id == "token_remembered"]
    return [text for one in found for text in one.evidence]


@pytest.mark.parametrize("own", [False, True])
def test_remembered_tokens(tmp_path, own):
    path = tmp_path / "sshd"
    assert evidence(tmp_path, token_lines(own)) == []
    told = f"{path}: all enforced users are not asked again for 28800 seconds after a token"
    assert evidence(tmp_path, token_lines(own, remember_seconds=28800)) == [told]
    told = f"{path}: members of ops, web are not asked again for 60 seconds after a token"
    assert evidence(tmp_path, token_lines(own, remember_seconds=60, remember_groups=["ops", "web"])) == [told]


@pytest.mark.parametrize("settings", [{}, {"lock_after": 0}, {"guard": False}])
def test_no_false_alarm_where_no_wrong_token_counts(tmp_path, settings):
    """Before a password, and in other doors, which have the lines of password+totp."""
    assert found(tmp_path / "a", token_lines(factors="password+totp", **settings)) == set()


def test_a_host_without_our_lines(tmp_path):
    (tmp_path / "sshd").write_text("auth required pam_unix.so\n")
    assert list(policy_findings(ManagedPam(str(tmp_path)))) == []
