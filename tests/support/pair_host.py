# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A real sshd with real PAM that has one of the published pairs of configurations, and its user "alice".

It needs a private /etc (fixture `accounts`), since sshd reads PAM's services and the accounts there.
"""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import time
from pathlib import Path

import yaml

from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.totp import token_at
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.prompts import BOTH, OTHER, PADDED, PASSWORD, TOKEN
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.audit import Audit, ClassReport
from ansible_collections.fleetmfa.ssh.tests.support.factor_logins import FactorLogins
from ansible_collections.fleetmfa.ssh.tests.support.pam_mistakes import DATA
from ansible_collections.fleetmfa.ssh.tests.support.running_sshd import RunningSshd
from ansible_collections.fleetmfa.ssh.tests.support.sshd_host import GROUP

PAIRS = yaml.safe_load(Path(__file__).with_name("published_pairs.yml").read_text(encoding="utf-8"))
USER = "alice"
_PERIOD = 30
_PASSWORD, _WRONG = "correct horse", "000000"
_PASSWORD_HASH = "$5$fleetmfa$Fo3UmxfP/YIzEzB7Tg26mLeHqaicrc8bPmir4yeJYb2"
_CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
PidFile none
LogLevel DEBUG1
StrictModes no
AuthorizedKeysFile /etc/ssh_keys/%u
MaxAuthTries 20
MaxStartups 100
"""
_ACCOUNT, _SESSION = "account required pam_unix.so\n", "session required pam_permit.so\n"


class PairHost:
    def __init__(self, accounts, folder: Path, pair: dict):
        self._pair = pair
        self._secret = os.urandom(20)
        key = folder / "id"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
        enforced = [GROUP] if pair.get("enforced", True) else []
        for group in [*enforced, *pair.get("groups", [])]:
            accounts.add_group(group, [USER])
        _write_account(key.with_suffix(".pub").read_text())
        self._write_pam()
        self._sshd = RunningSshd(folder, _CONFIG + pair["sshd_config"])
        self.stop = self._sshd.stop
        self.logins = FactorLogins(USER, self._sshd.port, str(key), self._typed)

    def _write_pam(self) -> None:
        pam = self._pair["pam"]
        rest = ("" if "\naccount" in pam else _ACCOUNT) + _SESSION
        files = {f"pam.d/{name}": text for name, text in DATA["includes"].items()}
        files.update({"pam.d/sshd": pam + rest, **self._pair.get("files", {})})
        for name, text in files.items():
            # Without the delay after a wrong password.
            Path("/etc", name).write_text(text.replace("pam_unix.so", "pam_unix.so nodelay"))

    def _typed(self) -> dict[str, str]:
        """What a person would type now; no token has been used yet."""
        self._write_token_keys()
        token = token_at(self._secret, int(time.time()) // _PERIOD)
        return {PASSWORD: _PASSWORD, TOKEN: token, BOTH: _PASSWORD + token, PADDED: _PASSWORD + _WRONG, OTHER: _WRONG}

    def _write_token_keys(self) -> None:
        if not self._pair.get("key", True):
            return
        google, oath = Path("/etc/home", USER, ".google_authenticator"), Path("/etc/users.oath")
        google.write_text(f'{base64.b32encode(self._secret).decode()}\n" TOTP_AUTH\n" WINDOW_SIZE 17\n')
        oath.write_text(f"HOTP/T30/6 {USER} - {self._secret.hex()}\n")
        for path in (google, oath):
            path.chmod(0o600)
        shutil.chown(google, USER)

    def audited(self) -> ClassReport:
        """What the audit says of alice."""
        self._write_token_keys()
        report = Audit(self._sshd.host.audit_wish()).report()
        return next(one for one in report["classes"] if USER in one["examples"])


def _write_account(public_key: str) -> None:
    passwd, home = Path("/etc/passwd"), Path("/etc/home", USER)
    lines = passwd.read_text().splitlines(keepends=True)
    passwd.write_text(
        "".join(line.replace(":/nonexistent:", f":{home}:") if line.startswith(f"{USER}:") else line for line in lines)
    )
    home.mkdir(parents=True)
    shutil.chown(home, USER)
    with Path("/etc/shadow").open("a") as shadow:
        shadow.write(f"{USER}:{_PASSWORD_HASH}:19000:0:99999:7:::\n")
    Path("/etc/ssh_keys").mkdir()
    Path("/etc/ssh_keys", USER).write_text(public_key)
    Path("/etc/environment").touch()
