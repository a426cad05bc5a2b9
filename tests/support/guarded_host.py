# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A host for the exactly-once guard: state directory, key file and PAM service in a temporary folder."""

from __future__ import annotations

import base64
import contextlib
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest
import yaml

from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.totp import token_at
from ansible_collections.fleetmfa.ssh.tests.support.pam_logins import SERVICE, PamLogin
from ansible_collections.fleetmfa.ssh.tests.support.token_lines import ROLE, auth_lines, token_lines

# What the role's last line does for a member of the group, and pam_setcred makes as little of it.
ENOUGH = f"auth sufficient pam_succeed_if.so quiet service in {SERVICE}:sshd"
HOSTS_OWN = "auth requisite pam_deny.so"
# What may be /bin/sh on a host. Debian's is dash; bash is that of others.
SHELLS = ["dash", pytest.param("bash", marks=pytest.mark.release)]
PERIOD = 30
LOGGED_WITHIN = 120
SPARE_SECONDS = 5
# A directory that knows each account by any spelling.
ANY_SPELLING = """printf '%s:x:20001:20001::/:/bin/sh\\n' "$(printf %s "$3" | tr A-Z a-z)\""""


class GuardedHost:
    """One user, "alice", behind the guard and the PAM lines of the role."""

    user = "alice"
    second_device = False
    first_factor: tuple[str, ...] = ()  # what sshd puts into the PAM environment about it
    service = SERVICE
    address = ""  # from where, as sshd says

    def __init__(self, folder: Path, shell: str):
        self.folder = folder
        (folder / "sh").symlink_to(shutil.which(shell))
        self.directory = folder / "directory" / "getent"
        self.directory.parent.mkdir()
        self.write_directory(ANY_SPELLING)
        self.guard = self._program("totp-guard")
        self.log_decision = self._program("log-decision")
        self.key_path = folder / "keys" / self.user
        self.state = folder / "guard" / self.user
        for name in ("keys", "guard", "pam.d"):
            (folder / name).mkdir(mode=0o700)
        self.secret = os.urandom(20)
        self.step = step_with_time_left()
        self.write_key()
        self.write_service()

    def _program(self, name: str) -> Path:
        """The program as installed, but run by this shell instead of /bin/sh, and with its own directory."""
        program = self.folder / name
        text = installed_program(name).replace("#!/bin/sh", f"#!{self.folder}/sh", 1)
        text = text.replace("=/etc/fleetmfa/", f"={self.folder}/").replace(
            "=/usr/local/libexec/fleetmfa/", f"={self.folder}/"
        )
        text = text.replace("=/run/systemd/journal/", f"={self.folder}/")
        text = text.replace("/var/lib/fleetmfa", str(self.folder))
        program.write_text(text.replace("PATH=/", f"PATH={self.directory.parent}:/", 1))
        program.chmod(0o755)
        return program

    def write_directory(self, answer: str) -> None:
        """The result of `getent passwd -- NAME`; $3 is the name."""
        self.write_program("getent", answer)

    def write_program(self, name: str, script: str) -> None:
        """The program that the guard runs under that name."""
        program = self.directory.with_name(name)
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)

    def write_service(self, guarded: bool = True, **settings: object) -> None:
        """The role's lines with these settings. Who gets past them without their success is denied by the host's own line."""
        wanted = {"guard": guarded, "second_device": self.second_device, **settings}
        lines = auth_lines(token_lines(str(self.folder), str(self.folder), **wanted))
        # Not a real account, so no member of a real group.
        self.lines = [ENOUGH if line.startswith("auth  sufficient") else line for line in lines]
        self.write_lines([*self.lines, HOSTS_OWN])

    def write_lines(self, lines: list[str]) -> None:
        (self.folder / "pam.d" / self.service).write_text("\n".join(lines) + "\n")

    def write_key(self, **values) -> None:
        """As when a key is replaced by another one: the guard forgets the old one's attempts."""
        self.write_key_without_forgetting(**values)
        self.state.unlink(missing_ok=True)

    def write_key_without_forgetting(self, rate_limit="100 30", used=(), codes=()) -> None:
        lines = [base64.b32encode(self.secret).decode(), '" WINDOW_SIZE 3', '" DISALLOW_REUSE', '" TOTP_AUTH', *codes]
        lines[2] = " ".join([lines[2], *map(str, used)])
        if rate_limit:
            lines.insert(1, f'" RATE_LIMIT {rate_limit}')
        draft = self.key_path.with_name("draft")
        draft.write_text("\n".join(lines) + "\n")
        draft.chmod(0o600)
        draft.rename(self.key_path)

    def note_log(self) -> None:
        """From now on text for syslog is kept, as logger(1) is told it; this host has no journal."""
        self.write_program("logger", f'printf "%s\\n" "$*" >>{self.folder}/log')

    def logged(self) -> str:
        """After all that the guard has begun to log."""
        deadline = time.monotonic() + LOGGED_WITHIN
        while _running(str(self.guard), str(self.log_decision)):
            assert time.monotonic() < deadline, "the log is never written"
            time.sleep(0.01)
        log = self.folder / "log"
        return log.read_text() if log.exists() else ""

    def still_logs(self) -> int:
        """How many lines are being written."""
        found = _running(str(self.guard), str(self.log_decision))
        return len([process for process, parent in found.items() if parent not in found])

    def limit_log(self, seconds: int) -> None:
        text = self.log_decision.read_text()
        self.log_decision.write_text(re.sub(r"(?m)^MOST_SECONDS=\d+", f"MOST_SECONDS={seconds}", text))

    def login(self, environment: tuple[str, ...] = (), name: str | None = None) -> PamLogin:
        return PamLogin(
            self.folder / "pam.d", name or self.user, (*self.first_factor, *environment), self.service, self.address
        )

    def asked(self, count: int, names: tuple[str, ...] = ()) -> list[PamLogin]:
        """This many logins, started together, that wait at their prompts; with these names in turn."""
        names = names or (self.user,)
        logins = [self.login(name=names[number % len(names)]) for number in range(count)]
        return [login for login in logins if login.has_prompt()]

    def answer(self, text: str, name: str | None = None) -> bool:
        """A complete separate login."""
        login = self.login(name=name)
        if login.has_prompt():
            login.answer(text)
        return login.succeeds()

    def token(self, offset: int = 0) -> str:
        return token_at(self.secret, self.step + offset)

    def run(self, action: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
        """The guard as started by pam_exec; this process represents the one that authenticates."""
        variables = {"PAM_USER": self.user, "PAM_TYPE": "auth", **environment}
        command = [str(self.guard), action, *arguments, str(self.folder)]
        return subprocess.run(command, env=variables, capture_output=True, text=True, errors="replace", check=False)


def _running(*programs: str) -> dict[int, int]:
    """The processes that run one of these scripts, each with its parent. One may start another and end while this looks, so it
    looks again until there are no new ones."""
    found, seen = {}, set()
    while new := {folder for folder in Path("/proc").glob("[0-9]*") if folder not in seen}:
        seen |= new
        for folder in new:
            with contextlib.suppress(OSError):  # it has ended
                if _runs(folder, programs):
                    found[int(folder.name)] = int(_stat(folder)[2])
    return found


def _runs(folder: Path, programs: tuple[str, ...]) -> bool:
    words = (folder / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
    name, state, _parent = _stat(folder)
    # Between two programs (execve) a process has the name of the new one, and no words yet.
    begins = words == [""] and state != "Z" and name in {Path(program).name[:15] for program in programs}
    return begins or not set(programs).isdisjoint(words)


def _stat(folder: Path) -> tuple[str, str, str]:
    """Name, state and parent."""
    name, _end, rest = (folder / "stat").read_text().partition("(")[2].rpartition(")")
    state, parent = rest.split()[:2]
    return name, state, parent


def installed_program(name: str) -> str:
    """The program's text on a host."""
    variables = yaml.safe_load((ROLE / "vars/main/main.yml").read_text())
    return variables["mfa__shebang"] + (ROLE / "files/usr/local/libexec/fleetmfa" / name).read_text()


def step_with_time_left() -> int:
    """The current time step, or the next one shortly before its end, so that no test's tokens expire."""
    left = PERIOD - time.time() % PERIOD
    if left < SPARE_SECONDS:
        time.sleep(left)
    return int(time.time()) // PERIOD
