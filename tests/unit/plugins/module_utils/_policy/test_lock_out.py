# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A host is never left with nobody who can log in: what the real sshd says of a planned configuration, and the keys."""

from __future__ import annotations

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.key_file import KeyFile, KeySettings
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.state_dir import StateDir
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.config import PamConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.lock_out import refuse_nobody_left
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.binary import Sshd
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.files import FileChange
from ansible_collections.fleetmfa.ssh.tests.support.sshd_host import (
    ALICE,
    BOB,
    GROUP,
    POLICY,
    ROOT,
    SshdHost,
    needs_sshd,
)

pytestmark = needs_sshd
SERVICE = "auth required pam_google_authenticator.so\naccount required pam_unix.so\n"
SECRET = "MFSWG2LPNZXW4ZLOORXGK3LPNZSXA4DB"


@pytest.fixture
def host(tmp_path):
    host = SshdHost(tmp_path)
    host.write()
    return host


@pytest.fixture
def state_dir(host):
    state_dir = StateDir(str(host.state_dir))
    with state_dir.lock():
        state_dir.prepare()
    return state_dir


@pytest.fixture
def check(host):
    def check(*accounts, pam=SERVICE):
        changes = [FileChange(str(host.path), POLICY.encode())]
        sshd, state_dir = Sshd(str(host.sshd)), StateDir(str(host.state_dir))
        config = PamConfig(str(host.config.parent), {"sshd": pam, "other": "auth required pam_deny.so\n"})
        refuse_nobody_left(
            changes, sshd, str(host.config), state_dir, GROUP, config, lambda config, group: list(accounts)
        )

    return check


def test_somebody_is_not_asked(check):
    check(ALICE, BOB)


def test_only_members_without_keys(check):
    with pytest.raises(FleetMfaError, match="nobody could log in.*exempt_users"):
        check(ALICE)


def test_root_is_somebody_only_if_sshd_lets_it_in(host, check):
    check(ALICE, ROOT)
    host.config.write_text("PermitRootLogin no\n" + host.config.read_text())
    with pytest.raises(FleetMfaError, match="nobody could log in"):
        check(ALICE, ROOT)


def test_others_are_denied_by_name(host, check):
    host.config.write_text(f"AllowGroups {GROUP}\n" + host.config.read_text())
    with pytest.raises(FleetMfaError, match="nobody could log in"):
        check(ALICE, BOB)


def test_pam_denies_whom_sshd_would_let_in(check):
    with pytest.raises(FleetMfaError, match="nobody could log in"):
        check(ALICE, BOB, pam="auth required pam_permit.so\naccount required pam_deny.so\n")


def test_a_member_with_a_key(state_dir, check):
    key = KeyFile.create(SECRET, KeySettings(), "Test", "alice", [], 0)
    state_dir.promote("alice", key)
    check(ALICE)


def test_a_member_with_a_broken_key(state_dir, host, check):
    (host.state_dir / "keys" / "alice").write_text(f"{SECRET}\nnot a key file\n")
    with pytest.raises(FleetMfaError, match="nobody could log in"):
        check(ALICE)
