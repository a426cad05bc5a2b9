# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Where a command of ssh would go, as ssh itself says after reading its arguments and configuration. Private."""

from __future__ import annotations

import os
import subprocess
from typing import NamedTuple

from ansible.errors import AnsibleConnectionFailure

from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._ssh_totp.used_steps import StepsFolder, UsedSteps


class LoginTarget(NamedTuple):
    user: str
    host: str
    port: str
    control_path: str  # empty if connections are not shared
    persistent: bool  # a first connection stays open for others

    @property
    def login(self) -> str:
        return f"{self.user}@{self.host}:{self.port}"

    def used_steps(self, folder: StepsFolder, claims: str, jump: list[str] | None = None) -> UsedSteps:
        """Of the place where a token counts once: a host, or the fleet. `jump` is the command that leads to a jump host."""
        if claims == "etcd":
            return folder.of_fleet(self.user)
        return folder.of_host(" ".join(jump) if jump else self.login)

    @property
    def has_connection(self) -> bool:
        return bool(self.control_path) and os.path.exists(self.control_path)  # noqa: PTH110


def read_target(command: list[bytes]) -> LoginTarget:
    """`command` contains -G."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode != 0:
        raise AnsibleConnectionFailure(f"Failed to connect to the host via ssh: {os.fsdecode(done.stderr).rstrip()}")
    pairs = (line.partition(" ") for line in os.fsdecode(done.stdout).splitlines())
    found = {name.lower(): value for name, _blank, value in pairs}
    path = found.get("controlpath", "none")
    shared = path.lower() != "none"
    # "no" is 0 seconds for some versions, but 0 is "for ever" for ssh, which prints it as yes.
    persistent = found.get("controlpersist", "no").lower() not in ("no", "false")
    master = found.get("controlmaster", "false").lower() in ("auto", "true", "yes")
    return LoginTarget(
        found.get("user", ""),
        found.get("hostname", ""),
        found.get("port", "22"),
        path if shared else "",
        shared and persistent and master,
    )
