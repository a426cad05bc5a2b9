# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What has changed of what the role wrote: each change of a sound host is found, and named with its file."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit import drift, packages
from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit.drift import Drift
from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit.managed_pam import ManagedPam
from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit.packages import ChangedFile, Packages
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.block import ACCOUNT_BLOCK, block

GUARD_DIGEST = hashlib.sha256(b"#!/bin/sh\n").hexdigest()
BARE = "auth required pam_unix.so\n"
TOKEN = "auth requisite pam_google_authenticator.so secret=/var/lib/fleetmfa/keys/${USER} user=root noskewadj\n"


class NoPackages(Packages):
    def changed_files(self):
        return []


class DriftingHost:
    def __init__(self, folder: Path):
        self.folder, self.pam, self.dropin = folder, folder / "pam.d", folder / "00-fleetmfa.conf"
        self.programs = folder / "libexec" / "fleetmfa"
        self.pam.mkdir()
        self.programs.mkdir(parents=True)
        for name in ("totp-guard", "mfa-enroll-service"):
            (self.programs / name).write_text("#!/bin/sh\n")
            (self.programs / name).chmod(0o755)
        self.dropin.write_text("Match Group mfa-enforced\n")
        lines = f"auth requisite pam_exec.so quiet {self.programs}/totp-guard attempt\n{TOKEN}"
        self.lines = block(lines.encode(), "a test")
        self.service.write_bytes(self.lines + BARE.encode())

    @property
    def service(self) -> Path:
        return self.pam / "sshd"

    def drift(self, *findings, has_members=True):
        guard = {str(self.programs / "totp-guard"): GUARD_DIGEST, "/nonexistent/key-used": GUARD_DIGEST}
        found = Drift(str(self.dropin), ManagedPam(str(self.pam)), NoPackages(), has_members, guard)
        rows = found.rows(findings)
        return [(row["path"], row["problem"]) for row in rows]


@pytest.fixture
def host(tmp_path, accounts):
    return DriftingHost(tmp_path)


def test_sound_host(host):
    assert host.drift() == []


def replaced_by_package(host):
    shutil.copy(host.service, f"{host.service}.dpkg-old")
    host.service.write_text(BARE)


def make_link(host):
    host.dropin.unlink()
    host.dropin.symlink_to("/dev/null")


def lose_marker(host):
    host.service.write_bytes(host.lines.split(b"\n", 1)[1])


CHANGES = {
    "the drop-in is gone": (lambda host: host.dropin.unlink(), "00-fleetmfa.conf", "is missing"),
    "others can write the drop-in": (lambda host: host.dropin.chmod(0o666), "00-fleetmfa.conf", "can be written to by others"),
    "the drop-in belongs to somebody": (lambda host: os.chown(host.dropin, 4711, 0), "00-fleetmfa.conf", "belongs to user id 4711"),
    "the drop-in is a link": (make_link, "00-fleetmfa.conf", "not a regular file"),
    "the guard is another": (
        lambda host: (host.programs / "totp-guard").write_text("#!/bin/sh\nexit 0\n"),
        "libexec/fleetmfa/totp-guard",
        "was changed, or is of another version",
    ),
    "a marker is gone": (lose_marker, "pam.d/sshd", "the marked block is not complete"),
    "the lines are gone": (lambda host: host.service.write_text(BARE), "/etc/pam.d", "no PAM service has the token lines"),
    "a package has replaced the service": (replaced_by_package, "pam.d/sshd", "the lines of this collection are in"),
    "the guard is gone": (lambda host: (host.programs / "totp-guard").unlink(), "totp-guard", "is missing"),
    "the guard cannot be run": (lambda host: (host.programs / "totp-guard").chmod(0o644), "totp-guard", "cannot be executed"),
    "others can replace the guard": (lambda host: host.programs.chmod(0o777), "totp-guard", "fleetmfa can be written to by others"),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_change(host, change):
    make, path, problem = CHANGES[change]
    make(host)
    assert [(one, told) for one, told in host.drift() if one.endswith(path) and problem in told], host.drift()


def test_all_lines_are_gone(host):
    """Somebody is enforced, so that they should be there; before anybody is, a host may have keys and nothing else."""
    host.dropin.unlink()
    host.service.write_text(BARE)
    assert [path for path, _problem in host.drift()] == [str(host.dropin), "/etc/pam.d"]
    assert host.drift(has_members=False) == []


def test_dropin_without_effect(host):
    finding = {
        "id": "sshd_policy_shadowed",
        "severity": "critical",
        "evidence": ["/etc/ssh/x:1, read before"],
        "remedy": "",
    }
    (found,) = host.drift(finding, {**finding, "id": "key_missing"})
    assert found[0] == str(host.dropin) and "/etc/ssh/x:1" in found[1]


def test_enrollment(host, monkeypatch, render, tmp_path):
    monkeypatch.setattr(drift, "_ENROLLMENT_PROGRAMS", (str(host.programs / "mfa-enroll-service"),))
    monkeypatch.setattr(drift, "_UNIT_FOLDER", str(tmp_path))
    monkeypatch.setattr(drift, "is_running", lambda: False)
    for unit in ("fleetmfa-enroll.socket", "fleetmfa-deadline.timer"):
        (tmp_path / unit).write_text("[Unit]\n")
    Path("/etc/fleetmfa").mkdir()
    shutil.copy(render(), "/etc/fleetmfa/policy.conf")
    assert host.drift() == []
    Path("/etc/fleetmfa/policy.conf").write_text("[host]\n")
    (tmp_path / "fleetmfa-enroll.socket").unlink()
    (host.programs / "mfa-enroll-service").unlink()
    Path("/etc/fleetmfa/claims.conf").write_text("key = value\n")
    found = host.drift()
    assert {os.path.basename(path) for path, _problem in found} == {
        "policy.conf", "fleetmfa-enroll.socket", "mfa-enroll-service", "totp-claim", "claims.conf",
    }  # fmt: skip


def test_exemptions_without_enrollment(host, monkeypatch, render, tmp_path):
    monkeypatch.setattr(drift, "_SERVICE", str(host.programs / "mfa-enroll-service"))
    monkeypatch.setattr(drift, "_UNIT_FOLDER", str(tmp_path))
    monkeypatch.setattr(drift, "is_running", lambda: False)
    Path("/etc/fleetmfa").mkdir()
    shutil.copy(render(mfa_enrollment=False), "/etc/fleetmfa/policy.conf")
    assert host.drift() == []
    entries = Path("/etc/fleetmfa/exemptions.json")
    entries.write_text('[{"kind": "user", "name": "bob", "until": "2026-05-31"}]')
    assert host.drift() == [
        (str(entries), "others than root can read it"),
        (str(tmp_path / "fleetmfa-deadline.timer"), "is missing, but what needs it is there"),
    ]


def test_notices(host, monkeypatch, tmp_path):
    monkeypatch.setattr(drift, "_NOTICE_PROGRAM", str(host.programs / "mfa-notice"))
    monkeypatch.setattr(drift, "_UNIT_FOLDER", str(tmp_path))
    monkeypatch.setattr(drift, "is_running", lambda: False)
    settings = Path("/etc/fleetmfa/notices.conf")
    settings.parent.mkdir()
    settings.write_text("")
    found = {os.path.basename(path) for path, _problem in host.drift()}
    assert found == {"notices.conf", "mfa-notice", "fleetmfa-notice.path"}
    settings.chmod(0o600)
    (tmp_path / "fleetmfa-notice.path").write_text("[Path]\n")
    (host.programs / "mfa-notice").write_text("#!/bin/sh\n")
    (host.programs / "mfa-notice").chmod(0o755)
    assert host.drift() == []


def test_unit_that_is_not_active(host, monkeypatch, render, tmp_path):
    monkeypatch.setattr(drift, "_ENROLLMENT_PROGRAMS", ())
    monkeypatch.setattr(drift, "_UNIT_FOLDER", str(tmp_path))
    monkeypatch.setattr(drift, "is_running", lambda: True)
    monkeypatch.setattr(drift, "_is_active", lambda unit: unit.endswith(".timer"))
    for unit in ("fleetmfa-enroll.socket", "fleetmfa-deadline.timer"):
        (tmp_path / unit).write_text("[Unit]\n")
    Path("/etc/fleetmfa").mkdir()
    shutil.copy(render(), "/etc/fleetmfa/policy.conf")
    assert host.drift() == [(str(tmp_path / "fleetmfa-enroll.socket"), "is not active")]


def test_managed_pam(host):
    found = ManagedPam(str(host.pam))
    assert (found.token_files, found.has_guard, found.has_account_check) == ([str(host.service)], True, False)
    assert found.programs == {f"{host.programs}/totp-guard"}
    host.service.write_bytes(block(b"account required pam_permit.so", "a test", ACCOUNT_BLOCK))
    found = ManagedPam(str(host.pam))
    assert (found.token_files, found.has_guard, found.has_account_check) == ([], False, True)
    assert ManagedPam.nothing().files == []


@pytest.mark.parametrize(
    ("line", "changed"),
    [
        ("??5??????   /usr/sbin/sshd", ("/usr/sbin/sshd", "is not the file")),
        (
            "missing     /usr/lib/x86_64-linux-gnu/security/pam_unix.so",
            ("/usr/lib/x86_64-linux-gnu/security/pam_unix.so", "is missing"),
        ),
        ("missing     /usr/lib/x (Permission denied)", ("/usr/lib/x", "is missing")),
        ("S.5....T.    /usr/sbin/sshd", ("/usr/sbin/sshd", "is not the file")),
        ("??5?????? c /etc/pam.d/sshd", None),
        ("S.5....T.  c /etc/ssh/sshd_config", None),
        (".M.......    /usr/sbin/sshd", None),
        ("missing     /usr/share/doc/openssh-server/README", None),
        ("missing     /usr/share/locale/af/LC_MESSAGES/Linux-PAM.mo", None),
    ],
)
def test_what_package_managers_print(line, changed):
    found = packages._changed(line)
    assert (found is None) == (changed is None)
    if changed:
        assert found.path == changed[0] and changed[1] in found.problem


@pytest.mark.skipif(shutil.which("dpkg") is None, reason="no dpkg on this machine")
def test_changed_file_of_a_package(accounts, tmp_path):
    """Files of the real packages; one of them is covered by another file, which only this test sees."""
    found = Packages()
    if not found.version_of("pam"):
        pytest.skip("libpam is not a package here")
    before = found.changed_files()
    listed = subprocess.run(
        ["dpkg", "-L", "libpam-modules"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    module = os.path.realpath(next(path for path in listed if path.endswith("/pam_echo.so")))
    (tmp_path / "other.so").write_bytes(b"something else")
    subprocess.run(["mount", "--bind", tmp_path / "other.so", module], check=True)
    try:
        added = [one for one in found.changed_files() if one not in before]
    finally:
        subprocess.run(["umount", module], check=True)
    assert [os.path.basename(one.path) for one in added] == ["pam_echo.so"]
    assert isinstance(added[0], ChangedFile)
