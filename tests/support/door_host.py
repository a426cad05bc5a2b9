# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A private /etc whose doors ask for a token: alice is validated, bob and root are not, and real programs are run as them."""

from __future__ import annotations

import os
import pwd
import re
import subprocess
import sys
import time
from pathlib import Path

import pexpect

from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.totp import decode_secret, token_at
from ansible_collections.fleetmfa.ssh.tests.support.guarded_host import PERIOD, installed_program
from ansible_collections.fleetmfa.ssh.tests.support.pam_logins import PamLogin
from ansible_collections.fleetmfa.ssh.tests.support.token_lines import token_lines

SECRET = "MFSWG2LPNZXW4ZLOORXGK3LPNZSXA4DB"
PASSWORD = "the right one"  # noqa: S105
PROMPT_PASSWORD, PROMPT_TOKEN = r"[Pp]assword( for \w+)?: ", "Verification code: "
LET_IN = "let-in as "
TIMEOUT = 300
SUDOERS = """\
Defaults !lecture, timestampdir={folder}/ts, timestamp_type=global, passwd_tries=1
root ALL=(ALL) ALL
alice, bob ALL=(ALL) ALL
carol ALL=(ALL) NOPASSWD: ALL
"""


class DoorHost:
    """`host` is the test's host with a state directory; `rollout` runs module totp_rollout on it."""

    def __init__(self, host, folder: Path):
        self._host, self.folder = host, folder
        for user in ("alice", "bob", "carol", "root"):
            self._give_password(user)
        Path("/etc/sudoers").write_text(SUDOERS.format(folder=folder))
        Path("/etc/sudoers").chmod(0o440)
        # A slow machine takes minutes for a few logins.
        self._host.totp_key(
            {"user": "alice", "secret": SECRET, "state": "validated"}, rate_limit_attempts=100, window=61
        )
        self.guard = folder / "totp-guard"
        self.guard.write_text(installed_program("totp-guard").replace("/var/lib/fleetmfa", str(host.path)))
        self.guard.chmod(0o755)
        self._step = int(time.time()) // PERIOD

    def _give_password(self, user: str) -> None:
        made = ["openssl", "passwd", "-6", "-salt", "salt", PASSWORD]
        password = subprocess.run(made, capture_output=True, text=True, check=True).stdout.strip()
        shadow = Path("/etc/shadow")
        lines = [line for line in shadow.read_text().splitlines() if not line.startswith(f"{user}:")]
        shadow.write_text("\n".join([*lines, f"{user}:{password}:20000:0:99999:7:::"]) + "\n")

    def lines(self) -> str:
        """As the role gives them to a door."""
        settings = {"factors": "password+totp", "second_device": False}
        text = token_lines(str(self.folder), str(self._host.path), own_service=False, **settings)
        return text.replace("pam_exec.so quiet", "pam_exec.so quiet seteuid")

    def entry(self, service: str, **options) -> dict:
        wanted = {"content": self.lines(), "guard": str(self.guard), "after_password": True, **options}
        return {"service": service, **wanted}

    def rollout(self, *entries: dict, **options) -> dict:
        options = {"rollout_id": "00000000000000a1", "confirm_timeout": 3600, "pam": list(entries), **options}
        result = self._host.run("totp_rollout", **options)
        if result["changed"] and not options.get("check") and not result.get("failed"):
            self._host.run("totp_rollout", phase="confirm", rollout_id=options["rollout_id"])
        return result

    def token(self) -> str:
        """The same until `next_token`."""
        return token_at(decode_secret(SECRET), self._step)

    def next_token(self) -> str:
        self._step += 1
        return self.token()

    def run_as(self, user: str, *command: str) -> pexpect.spawn:
        """The command on a terminal of its own, with the user's own rights."""
        account = pwd.getpwnam(user)
        wrapper = [sys.executable, "-c", _BECOME, user, str(account.pw_uid), str(account.pw_gid), *command]
        return pexpect.spawn(
            wrapper[0], wrapper[1:], encoding="utf-8", timeout=TIMEOUT, cwd="/", env={"PATH": os.defpath}
        )

    def su(self, caller: str, target: str, *options: str) -> pexpect.spawn:
        return self.run_as(caller, "/usr/bin/su", *options, target, "-c", f"echo {LET_IN}$(id -un)")

    def sudo(self, caller: str, *options: str) -> pexpect.spawn:
        return self.run_as(caller, "/usr/bin/sudo", *options, "sh", "-c", f"echo {LET_IN}$(id -un)")

    @staticmethod
    def asked(child: pexpect.spawn, *answers: str) -> tuple[list[str], bool]:
        """The prompts in turn, P for the password and T for the token, as long as there are answers; and whether it let in."""
        prompts, left = [], list(answers)
        while True:
            found = child.expect([PROMPT_PASSWORD, PROMPT_TOKEN, pexpect.EOF])
            said = child.before or ""
            if found == 2 or not left:
                if found != 2:
                    prompts.append("PT"[found])
                child.close(force=True)
                return prompts, bool(re.search(f"^{LET_IN}", said, re.MULTILINE))
            prompts.append("PT"[found])
            child.sendline(left.pop(0))

    def console(self, user: str, *answers: str) -> tuple[int, bool]:
        """How many prompts PAM service login has for the user, and whether it lets in; login(1) itself writes the machine's own logs."""
        login, prompts, left = PamLogin(Path("/etc/pam.d"), user, service="login"), 0, list(answers)
        while login.has_prompt():
            prompts += 1
            login.answer(left.pop(0) if left else "")
        return prompts, login.succeeds()


_BECOME = (
    "import os, sys; name, uid, gid = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]);"
    "os.initgroups(name, gid); os.setresgid(gid, gid, gid); os.setresuid(uid, uid, uid); os.execv(sys.argv[4], sys.argv[4:])"
)
