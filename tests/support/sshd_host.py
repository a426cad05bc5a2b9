# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""An sshd configuration in a folder of the test, read by the machine's real sshd."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.overdue_findings import Enrollment
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.match import Account

SSHD = shutil.which("sshd", path="/usr/sbin:/sbin")
needs_sshd = pytest.mark.skipif(SSHD is None, reason="no OpenSSH server on this machine")

GROUP = "mfa-enforced"
ALICE = Account("alice", 1001, frozenset({"alice", GROUP}))
BOB = Account("bob", 1002, frozenset({"bob"}))
ROOT = Account("root", 0, frozenset({"root"}))

POLICY = f"""\
Match Group {GROUP}
    KbdInteractiveAuthentication yes
    AuthenticationMethods publickey,keyboard-interactive:pam
"""
DEBIAN = """\
# The distribution's file
Include DROPINS/*.conf
KbdInteractiveAuthentication no
UsePAM yes
X11Forwarding yes
Subsystem sftp /usr/lib/openssh/sftp-server
"""


class SshdHost:
    """DROPINS in a text represents the folder of drop-ins."""

    def __init__(self, folder: Path):
        self.dropins = folder / "sshd_config.d"
        self.dropins.mkdir()
        self.config = folder / "sshd_config"
        self.path = self.dropins / "00-fleetmfa.conf"
        self.state_dir = folder / "state"
        # The real sshd, with a host key of its own: a machine that runs no sshd may have none.
        key, self.sshd = folder / "host_key", folder / "sshd"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
        self.sshd.write_text(f'#!/bin/sh\nexec {SSHD} -h {key} "$@"\n')
        self.sshd.chmod(0o755)

    def write(self, sshd_config: str = DEBIAN, dropins: dict[str, str] | None = None) -> None:
        self.config.write_text(self.filled(sshd_config))
        for name, text in (dropins or {}).items():
            (self.dropins / name).write_text(self.filled(text))

    def filled(self, text: str) -> str:
        return text.replace("DROPINS", str(self.dropins))

    def wish(self, **values) -> dict:
        wish = {"state": "present", "content": POLICY, "group": GROUP, "exempt_users": [], "exempt_groups": []}
        wish.update(accept_findings=[], overdue_group=None)
        wish.update(dropin=str(self.path), config=str(self.config), binary=str(self.sshd))
        wish.update(values)
        return wish

    def audit_wish(self, **values) -> dict:
        wish = {"group": GROUP, "state_dir": str(self.state_dir), "assume_enforced": [], "enrollment": Enrollment()}
        wish.update(exempt_users=[], exempt_groups=[], connecting_address="")
        wish.update(dropin=str(self.path), config=str(self.config), binary=str(self.sshd))
        wish.update(values)
        return wish
