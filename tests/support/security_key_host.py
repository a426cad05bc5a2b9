# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A real sshd with the role's lines for users of security keys, and logins of the real ssh with all kinds of keys.

It needs a private /etc (fixture `accounts`). Every user has an ordinary key, too, where the host's own sshd looks for one.
"""

from __future__ import annotations

import grp
import subprocess
from pathlib import Path
from typing import NamedTuple

from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.security_key_users import FOLDER
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import SECURITY_KEY_GROUP
from ansible_collections.fleetmfa.ssh.tests.support.running_sshd import RunningSshd
from ansible_collections.fleetmfa.ssh.tests.support.security_key_lines import security_key_lines
from ansible_collections.fleetmfa.ssh.tests.support.sshd_host import GROUP, POLICY
from lab.security_key import SoftwareSecurityKey

_CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
PidFile none
UsePAM yes
LogLevel VERBOSE
MaxStartups 100
PermitRootLogin prohibit-password
KbdInteractiveAuthentication no
AuthorizedKeysFile /etc/ssh_keys/%u
"""
_PAM = "auth required pam_permit.so\naccount required pam_permit.so\nsession required pam_permit.so\n"


class Attempt(NamedTuple):
    is_in: bool
    is_asked: bool  # for more, after the key


class SecurityKeyHost:
    """`lines` are those of the role for security keys, which come before the policy for who is enforced."""

    def __init__(self, folder: Path, lines: str | None = None):
        self._folder = folder
        for name in ("ssh", "ssh_keys"):
            Path("/etc", name).mkdir(mode=0o755)
        Path("/etc/environment").touch()
        Path("/etc/pam.d/sshd").write_text(_PAM)
        self.ordinary_key = folder / "id"
        for path in (self.ordinary_key, Path("/etc/ssh/ssh_host_ed25519_key")):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
        for user in ("alice", "bob", "carol"):
            Path("/etc/ssh_keys", user).write_text(self.ordinary_key.with_suffix(".pub").read_text())
        self.config = _CONFIG + (security_key_lines() if lines is None else lines) + POLICY
        Path("/etc/ssh/sshd_config").write_text(self.config.format(port=22))

    def start(self) -> RunningSshd:
        self._sshd = RunningSshd(self._folder, self.config)
        return self._sshd

    def log_in(self, user: str, security_key: SoftwareSecurityKey | None = None) -> Attempt:
        """With a security key, or with the ordinary one."""
        options = ["BatchMode=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null"]
        if security_key:
            options += [f"IdentityAgent={security_key.socket}", "IdentityFile=none"]
        else:
            options += [f"IdentityFile={self.ordinary_key}", "IdentityAgent=none", "IdentitiesOnly=yes"]
        command = ["ssh", "-v", "-F", "none", "-p", str(self._sshd.port), *(f"-o{option}" for option in options)]
        done = subprocess.run([*command, f"{user}@127.0.0.1", "id -un"], capture_output=True, text=True, check=False)
        return Attempt(done.stdout == f"{user}\n", "partial success" in done.stderr)

    def said(self, text: str) -> bool:
        return self._sshd.count_in_log(text, 1) > 0


def members() -> tuple[set[str], set[str]]:
    """Of the group for security keys, and of the enforced one."""
    groups = {found.gr_name: set(found.gr_mem) for found in grp.getgrall()}
    return groups.get(SECURITY_KEY_GROUP, set()), groups.get(GROUP, set())


def key_files() -> dict[str, str]:
    folder = Path(FOLDER)
    return {path.name: path.read_text() for path in folder.iterdir()} if folder.is_dir() else {}
