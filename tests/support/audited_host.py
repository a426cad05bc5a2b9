# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A host for module host_audit_info: a private /etc, sshd's configuration and the real sshd, keys, and a log of its own.

What the machine itself has (its processes, its log, its clock) is kept out, since it differs between machines.
"""

from __future__ import annotations

import functools
import shutil
import time
from pathlib import Path

from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit import doors, evidence, pam_doors
from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit.log_lines import LogLines
from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit.packages import Packages
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.key_file import KeyFile, KeySettings
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.state_dir import StateDir
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam import config
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.account_check import account_lines
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.block import ACCOUNT_BLOCK, block
from ansible_collections.fleetmfa.ssh.tests.support.sshd_host import DEBIAN, GROUP, POLICY, SshdHost
from ansible_collections.fleetmfa.ssh.tests.support.token_lines import auth_lines, token_lines

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
UNTOUCHED = "auth required pam_unix.so\naccount required pam_unix.so\n"
SUDOERS = "root ALL=(ALL:ALL) ALL\n"


class AuditedHost:
    """Sound from the beginning: alice is enforced, nobody else is a person, and root cannot log in."""

    def __init__(self, accounts, folder: Path, monkeypatch, run_module):
        self.accounts, self.folder, self._run_module = accounts, folder, run_module
        self.sshd = SshdHost(folder)
        self.state_dir = StateDir(str(folder / "state"))
        self.guard = folder / "fleetmfa" / "totp-guard"
        self.log = folder / "auth.log"
        self.clock = {"time": 0.0, "synchronized": True, "service": "chrony"}
        self._keep_the_machine_out(monkeypatch)
        self._make_sound()

    def _keep_the_machine_out(self, monkeypatch) -> None:
        monkeypatch.setattr(doors, "listeners", list)
        monkeypatch.setattr(config, "VENDOR_CONFDIRS", ())
        monkeypatch.setattr(pam_doors, "VENDOR_CONFDIRS", ())
        monkeypatch.setattr(evidence, "clock", lambda: self.clock)
        monkeypatch.setattr(evidence, "LogLines", functools.partial(LogLines, journal=None, files=[f"{self.log}*"]))
        monkeypatch.setattr(Packages, "changed_files", lambda _self: [])

    def _make_sound(self) -> None:
        self.sshd.write(DEBIAN + "PermitRootLogin no\n", {"00-fleetmfa.conf": POLICY})
        self.guard.parent.mkdir()
        for program in (self.guard, self.guard.with_name("log-decision")):
            program.write_text("#!/bin/sh\n")
            program.chmod(0o755)
        self.log.write_text("")
        shutil.rmtree("/etc/pam.d")
        Path("/etc/pam.d").mkdir()
        self.pam("other", "auth required pam_deny.so\naccount required pam_deny.so\n")
        self.pam("sshd", self.token_lines(self.guard) + UNTOUCHED + self.account_check())
        self.sudoers(SUDOERS)
        self.accounts.remove("bob")
        self.accounts.remove("carol")
        self.accounts.add_group(GROUP, ["alice"])
        self.key("alice")

    def token_lines(self, guard: Path | None) -> str:
        folder = str(self.guard.parent)
        wanted = {"guard": guard is not None, "second_device": False, "group": GROUP}
        lines = "".join(
            f"{line}\n" for line in auth_lines(token_lines(folder, self.state_dir.path, own_service=False, **wanted))
        )
        return block(lines.encode(), "a test").decode()

    def account_check(self) -> str:
        lines = account_lines(["sshd"], f"{self.state_dir.path}/enforced", str(self.guard))
        return block(lines.encode(), "a test", ACCOUNT_BLOCK).decode()

    @staticmethod
    def pam(service: str, text: str) -> None:
        Path("/etc/pam.d", service).write_text(text)

    @staticmethod
    def sudoers(text: str) -> None:
        Path("/etc/sudoers").write_text(text)

    def key(self, user: str, secret: str = SECRET, folder: str = "keys", codes=(), **settings) -> None:
        with self.state_dir.lock():
            self.state_dir.prepare()
        key = KeyFile.create(SECRET, KeySettings(**settings), "lab", user, codes, int(time.time()))
        path = Path(self.state_dir.path, folder, user)
        path.write_bytes(key.render().replace(SECRET.encode(), secret.encode()))
        path.chmod(0o600)

    def audit(self, **options) -> dict:
        """The evidence."""
        given = {"config": self.sshd.config, "dropin": self.sshd.path, "binary": self.sshd.sshd}
        given = {name: str(path) for name, path in given.items()}
        result = self._run_module("host_audit_info", **{**given, "state_dir": self.state_dir.path, **options})
        assert not result.get("failed") and not result["changed"], result
        return result["evidence"]

    def everything(self) -> dict:
        """All that a call could change: each file of /etc and of the test's folder, with its content and attributes."""
        found = {}
        for path in sorted([*Path("/etc").rglob("*"), *self.folder.rglob("*")]):
            status = path.lstat()
            content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
            found[str(path)] = (
                content,
                status.st_mode,
                status.st_uid,
                status.st_gid,
                status.st_mtime_ns,
                status.st_ino,
            )
        return found


def evidence_of(found: dict, finding: str) -> list[str]:
    """The evidence of a finding; nothing if the host has not got it."""
    return [text for one in found["findings"] if one["id"] == finding for text in one["evidence"]]
