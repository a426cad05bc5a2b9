# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Whom the end of the enrollment period would shut out without a way to enroll, asked of the machine's real sshd."""

from __future__ import annotations

import grp
import os
import pwd

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.state_dir import StateDir
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.audit import Audit
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.overdue_findings import Enrollment, candidates
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.config import SshdConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.confinement import Candidate
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.match import Account
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.plan import Surroundings
from ansible_collections.fleetmfa.ssh.tests.support.sshd_host import (
    BOB,
    DEBIAN,
    GROUP,
    ROOT,
    SshdHost,
    needs_sshd,
)

pytestmark = needs_sshd

BOXED = Account("boxed", 1003, frozenset({"sftponly"}))
SFTP_ONLY = "Match Group sftponly\n ChrootDirectory /srv/%u\n ForceCommand internal-sftp\n PermitTTY no\n"
CANNOT, NOT_OFFERED, NEEDED = "sshd_overdue_cannot_enroll", "sshd_overdue_not_offered", "sshd_overdue_needed"


@pytest.fixture
def host(tmp_path):
    return SshdHost(tmp_path)


@pytest.fixture
def overdue(host, tmp_path):
    """overdue("deny", configuration): the findings about BOB and BOXED; {id: evidence}."""

    def overdue_(mode, sshd_config="", shell="/bin/bash", home=tmp_path, **wish):
        host.write(DEBIAN + sshd_config)
        enrolling = [Candidate(account, shell, str(home)) for account in (BOB, BOXED)]
        wish = host.audit_wish(enrollment=Enrollment(mode, **wish))
        audit = Audit(
            wish, Surroundings(lambda config, group: [BOB, BOXED, ROOT], lambda main: []), lambda *_given: enrolling
        )
        found = {one["id"]: " | ".join(one["evidence"]) for one in audit.report()["findings"]}
        return {name: evidence for name, evidence in found.items() if name.startswith("sshd_overdue_")}

    return overdue_


def test_who_is_not_confined_is_no_finding(overdue):
    assert overdue("enroll_only") == overdue("deny") == {}


def test_chrooted_and_without_a_terminal_cannot_enroll(overdue, host):
    found = overdue("enroll_only", SFTP_ONLY)
    assert set(found) == {CANNOT}
    assert f"boxed: {host.config}:8 (below `Match Group sftponly`, line 7): chrootdirectory /srv/%u" in found[CANNOT]
    assert "permittty no" in found[CANNOT] and "bob" not in found[CANNOT]


@pytest.mark.parametrize("line", ["ChrootDirectory /srv", "PermitTTY no"])
def test_each_of_them_is_enough(overdue, line):
    found = overdue("enroll_only", f"{line}\n")
    assert set(found) == {CANNOT} and "bob, boxed: " in found[CANNOT] and line.lower() in found[CANNOT].lower()


@pytest.mark.parametrize("shell", ["/usr/sbin/nologin", "/bin/false", "/usr/bin/git-shell", "/bin/rbash", "/opt/menu"])
def test_a_shell_that_runs_no_command(overdue, shell):
    assert shell in overdue("enroll_only", shell=shell)[CANNOT]
    assert shell in overdue("deny", shell=shell)[NOT_OFFERED]


@pytest.mark.parametrize("shell", ["", "/bin/sh", "/usr/bin/zsh", "/opt/fish/bin/fish", "/bin/tcsh"])
def test_a_shell_that_does(overdue, shell):
    assert overdue("enroll_only", shell=shell) == {}


def test_deny_says_who_is_never_offered_enrollment(overdue):
    found = overdue("deny", SFTP_ONLY)
    assert set(found) == {NOT_OFFERED} and "forcecommand internal-sftp" in found[NOT_OFFERED]
    assert "bob" not in found[NOT_OFFERED]


@pytest.mark.parametrize("mode, finding", [("deny", NOT_OFFERED), ("enroll_only", CANNOT)])
def test_overdue_user_is_checked_as_if_not_overdue(host, overdue, monkeypatch, mode, finding):
    monkeypatch.setitem(globals(), "BOXED", BOXED.joined("mfa-overdue"))
    policy = "Match Group mfa-overdue\n DenyGroups mfa-overdue\n ForceCommand /usr/local/bin/mfa-enroll overdue\n"
    assert set(overdue(mode, policy + SFTP_ONLY)) == {finding}


def test_a_forced_command_gives_way_to_enrollment_at_the_deadline(overdue):
    found = overdue("enroll_only", "Match User boxed\n ForceCommand /usr/bin/menu\n")
    assert set(found) == {NOT_OFFERED} and found[NOT_OFFERED].startswith("boxed: ")


def test_allow_locks_nobody_out(overdue):
    assert overdue("allow", SFTP_ONLY) == {}


def test_confined_from_some_addresses_only(overdue):
    found = overdue("enroll_only", "Match Address 10.0.0.0/8\n PermitTTY no\n")
    assert set(found) == {NOT_OFFERED}
    assert "bob, boxed from 10.0.0.0 to port 22" in found[NOT_OFFERED] and "203.0.113" not in found[NOT_OFFERED]


def test_the_only_address_a_user_may_come_from_decides(overdue):
    lines = "DenyUsers boxed@203.0.113.0/24\nMatch Address 10.0.0.0/8 User boxed\n PermitTTY no\n"
    assert overdue("enroll_only", lines)[CANNOT].startswith("boxed: ")


def test_who_cannot_log_in_anyway_is_no_finding(overdue):
    assert overdue("enroll_only", "DenyUsers boxed\n" + SFTP_ONLY) == {}


def test_an_account_that_is_needed(overdue):
    found = overdue("deny", connecting_users=["bob", "somebody-else"])
    assert found == {NEEDED: "bob would be locked out at the deadline"}


KEYS = {
    'restrict,command="/bin/backup now, \\"all\\"" ssh-ed25519 AAAA': False,
    'command="x,no-pty y" ssh-ed25519 AAAA': True,
    "no-pty ecdsa-sha2-nistp256 AAAA": False,
    "NO-PTY,from=10.* sk-ssh-ed25519@openssh.com AAAA": False,
    "restrict,pty ssh-rsa AAAA": True,
    "ssh-rsa AAAA no-pty comment": True,
}


@pytest.mark.parametrize("line, terminal", KEYS.items())
def test_options_of_keys(overdue, tmp_path, line, terminal):
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "authorized_keys").write_text(f"# mine\n\n{line}\n")
    found = overdue("enroll_only")
    assert set(found) == (set() if terminal else {NOT_OFFERED})
    assert "AAAA" not in str(found) and "backup" not in str(found)


def test_one_key_with_a_terminal_is_enough(overdue, tmp_path):
    (tmp_path / "keys").write_text("restrict ssh-ed25519 AAAA\n")
    (tmp_path / "bob").write_text("ssh-ed25519 AAAA\n")
    found = overdue("enroll_only", f"AuthorizedKeysFile %h/keys {tmp_path}/%u\n")
    assert found == {NOT_OFFERED: f"boxed: no key in {tmp_path}/keys allows a terminal (restrict or no-pty)"}


@pytest.mark.parametrize("what", ["fifo", "folder", "link to a device"])
def test_an_invalid_key_file_blocks_nothing(overdue, tmp_path, what):
    path = tmp_path / ".ssh" / "authorized_keys"
    path.parent.mkdir()
    {"fifo": os.mkfifo, "folder": os.mkdir, "link to a device": lambda name: os.symlink("/dev/zero", name)}[what](path)
    assert overdue("enroll_only") == {}


# Who may become overdue


def names(enrollment, tmp_path):
    config = tmp_path / "sshd_config"
    config.write_text("")
    found = candidates(enrollment, SshdConfig(str(config)), GROUP, StateDir(str(tmp_path / "state")))
    return {candidate.account.name for candidate in found}


@pytest.fixture
def keys(tmp_path):
    """keys("pending", "games"): a file for that user."""

    def keys_(folder, user):
        path = tmp_path / "state" / folder
        path.mkdir(parents=True, exist_ok=True)
        (path / user).touch()

    return keys_


def test_candidates(tmp_path, keys):
    enrollment = Enrollment("deny", ["daemon", "bin", "sys", "root", "nobody-here"], ["sys"])
    keys("pending", "games")
    keys("keys", "bin")
    assert names(enrollment, tmp_path) == {"daemon", "games"}


def test_members_of_a_listed_group(tmp_path):
    group = grp.getgrgid(pwd.getpwnam("daemon").pw_gid).gr_name
    assert names(Enrollment("deny", [f"%{group}", "%no-such-group"]), tmp_path) == {"daemon"}


def test_members_of_exempt_groups_are_none(tmp_path):
    group = grp.getgrgid(pwd.getpwnam("daemon").pw_gid).gr_name
    assert names(Enrollment("deny", ["daemon"], (), [group]), tmp_path) == set()


def test_with_allow_nobody_is_looked_at(tmp_path):
    assert names(Enrollment("allow", ["daemon"]), tmp_path) == set()
