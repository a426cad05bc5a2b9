# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A real sshd with real PAM that asks alice for a token, and Ansible that connects to it as her.

It needs a private /etc (fixture `accounts`), since sshd reads PAM's services and the accounts there.
"""

from __future__ import annotations

import base64
import os
import pwd
import subprocess
from pathlib import Path

import yaml

from ansible_collections.fleetmfa.ssh.tests.support.running_sshd import RunningSshd

PERIOD = 10  # seconds, so that tests which wait for the next token need not wait long
_WINDOW = 17  # steps, so that a token is still good when a busy machine takes a minute to check it
_CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
PidFile none
UsePAM yes
LogLevel DEBUG1
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication yes
AuthenticationMethods publickey,keyboard-interactive:pam
AuthorizedKeysFile /etc/ssh_keys/%u
AllowTcpForwarding yes
Subsystem sftp internal-sftp
MaxStartups 100
"""
_TOKEN = "auth requisite pam_google_authenticator.so secret=/etc/totp/${USER} user=root noskewadj"
_REST = ["auth required pam_permit.so", "account required pam_permit.so", "session required pam_permit.so"]


class TokenHost:
    user = "alice"

    def __init__(self, folder: Path):
        self.folder = folder
        self.secret = base64.b32encode(os.urandom(20)).decode()
        self.key = folder / "id"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.key)], check=True)
        for name in ("ssh_keys", "totp"):
            Path("/etc", name).mkdir(mode=0o755)
        Path("/etc/environment").touch()
        self.write_key()
        self.write_service(_TOKEN)
        self._start()

    def write_key(self, *options: str, user: str = user, secret: str = "") -> None:
        path = Path("/etc/totp", user)
        lines = [
            secret or self.secret,
            '" TOTP_AUTH',
            '" DISALLOW_REUSE',
            f'" STEP_SIZE {PERIOD}',
            f'" WINDOW_SIZE {_WINDOW}',
        ]
        path.write_text("\n".join([*lines, *options]) + "\n")
        path.chmod(0o600)
        Path("/etc/ssh_keys", user).write_text(self.key.with_suffix(".pub").read_text())

    def write_service(self, *lines: str) -> None:
        Path("/etc/pam.d/sshd").write_text("\n".join([*lines, *_REST]) + "\n")

    def ask_with(self, prompt: str) -> None:
        """Instead of `Verification code: `."""
        self.write_service(f"{_TOKEN} [authtok_prompt={prompt}]")

    def ask_as_of_two_devices(self, text: str) -> None:
        """As totp-guard does for a user with two devices: only the line before the prompt says that it is for a token."""
        Path("/etc/totp-text").write_text(text)
        self.write_service("auth optional pam_echo.so file=/etc/totp-text", f"{_TOKEN} [authtok_prompt=Password: ]")

    def ask_password_and_token(self) -> None:
        self.write_service("auth requisite pam_unix.so", _TOKEN)

    def _start(self) -> None:
        self._sshd = RunningSshd(self.folder, _CONFIG)
        self.port, self.reload, self.stop = self._sshd.port, self._sshd.reload, self._sshd.stop
        key = (self.folder / "host_key.pub").read_text()
        self.known_hosts = self.folder / "known_hosts"
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {key}")

    def logged_in(self, times: int, user: str = user) -> bool:
        """Whether so many logins of the user went through the token."""
        return self._logins(times, user) == times

    def logged_in_at_least(self, times: int) -> bool:
        return self._logins(times, self.user) >= times

    def _logins(self, at_least: int, user: str) -> int:
        return self._sshd.count_in_log(f"Accepted keyboard-interactive/pam for {user}", at_least)

    def refused(self, times: int) -> bool:
        """Whether so many answers to a prompt were refused."""
        return self._sshd.count_in_log("Failed keyboard-interactive/pam", times) == times

    @property
    def log(self) -> str:
        return self._sshd.log

    def ansible(self, *arguments: str, hosts: int = 1, **variables) -> subprocess.CompletedProcess:
        """Ad hoc, by default `raw`, which needs nothing but a shell there; `hosts` names of the same host."""
        command = self.command(*arguments, hosts=hosts, **variables)
        return subprocess.run(
            command, capture_output=True, text=True, env=self.environment, check=False, cwd=self.folder
        )

    def command(self, *arguments: str, hosts: int = 1, **variables) -> list[str]:
        """Writes the inventory that it names."""
        always = {
            "ansible_connection": "fleetmfa.ssh.ssh_totp",
            "ansible_host": "127.0.0.1",
            "ansible_port": self.port,
            "ansible_user": self.user,
            "ansible_totp_secret": self.secret,
            "ansible_totp_period": PERIOD,
            "ansible_totp_state_dir": str(self.folder / "steps"),
            "ansible_ssh_private_key_file": str(self.key),
            "ansible_ssh_common_args": f"-o UserKnownHostsFile={self.known_hosts} -o IdentitiesOnly=yes -F none",
            "ansible_ssh_timeout": 120,
            "ansible_control_path_dir": str(self._short_folder()),
            # With the user id: a later run of the tests, after packages have brought accounts, gives the user another one.
            "ansible_remote_tmp": f"/tmp/.ansible-of-${{USER:-alice}}-{pwd.getpwnam(self.user).pw_uid}",
            "ansible_python_interpreter": "/usr/bin/python3",
        }
        given = {name: value for name, value in {**always, **variables}.items() if value is not None}
        names = {f"web{number}": None for number in range(1, hosts + 1)}
        inventory = self.folder / "inventory.yml"
        inventory.write_text(yaml.safe_dump({"all": {"hosts": names, "vars": given}}))
        return ["ansible", "all", "-i", str(inventory), *(arguments or ("-m", "raw", "-a", "id -un"))]

    @property
    def environment(self) -> dict[str, str]:
        # ansible-test switches the checking of host keys off.
        own = {"ANSIBLE_NOCOLOR": "1", "ANSIBLE_HOME": str(self.folder / "home"), "ANSIBLE_HOST_KEY_CHECKING": "True"}
        return {**os.environ, **own}

    def _short_folder(self) -> Path:
        """The path of a control socket has a limit of about 100 bytes."""
        path = Path("/run") / f"cp-{self.port}"
        path.mkdir(exist_ok=True)
        return path
