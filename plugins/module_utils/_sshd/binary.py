# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Queries the installed sshd: its version, whether it accepts a configuration, which settings apply to whom.
Private."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Sequence

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.match import Connection
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.reload import NO_HOST_KEYS, listening_commands
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.commands import Done, find_program, run

_INCLUDE_SINCE = (8, 2)
_ONE_OPTION_SINCE = (8, 7)
_PAM_SERVICE_NAME_SINCE = (9, 8)


class Sshd:
    """The sshd binary; `options` are the command line options that a running sshd was started with (-o, -p).

    With `for_other_hosts` it is asked about the configuration of other hosts, whose host keys are not here.
    """

    def __init__(self, binary: str | None = None, options: Sequence[str] = (), for_other_hosts: bool = False):
        found = find_program(binary or "sshd")
        if not found:
            raise FleetMfaError(
                f"sshd: {binary or 'sshd'} does not exist; install the OpenSSH server or set option binary"
            )
        self.binary = found
        self.options = list(options)
        self._for_other_hosts = for_other_hosts
        self.calls = 0
        self._version: tuple[int, int] | None = None
        self._takes_private_groups: bool | None = None
        self._host_key: list[str] = []

    @property
    def version(self) -> tuple[int, int]:
        if self._version is None:
            # Before about 9.3 there is no -V: sshd then reports an error, and prints its version with the usage text.
            found = re.search(r"OpenSSH_(\d+)\.(\d+)", run(self.binary, "-V").said)
            if not found:
                raise FleetMfaError(f"sshd: {self.binary} -V does not print an OpenSSH version; is it OpenSSH's sshd?")
            self._version = (int(found.group(1)), int(found.group(2)))
        return self._version

    @property
    def takes_private_groups(self) -> bool:
        """Whether StrictModes lets the user's own group write to authorized_keys: a patch of Debian, which Ubuntu has too.

        sshd -V does not say whose it is on all versions; ssh, which is built beside it, does.
        """
        if self._takes_private_groups is None:
            said = run("ssh", "-V").said if find_program("ssh") else ""
            self._takes_private_groups = re.search(r"^OpenSSH_\S+ (Debian|Ubuntu)", said, re.MULTILINE) is not None
        return self._takes_private_groups

    @property
    def has_include(self) -> bool:
        return self.version >= _INCLUDE_SINCE

    @property
    def separate_challenge_response(self) -> bool:
        return self.version < _ONE_OPTION_SINCE

    @property
    def pam_service_name(self) -> bool:
        return self.version >= _PAM_SERVICE_NAME_SINCE

    def complaint(self, config: str) -> str:
        """What `sshd -t` reports about a configuration; "" if it accepts it."""
        done = self._counted("-t", "-f", config, *self.options)
        return "" if done.code == 0 else done.errors.strip() or f"sshd -t ended with code {done.code}"

    def effective(self, config: str, user: str, connection: Connection) -> dict[str, list[str]]:
        """`sshd -T -C`: the settings that apply to a user's connection, each keyword with all its values."""
        asked = connection.specification(user)
        done = self._counted("-T", "-f", config, "-C", asked, *self.options)
        if done.code:
            raise FleetMfaError(f"sshd rejects its configuration: {done.errors.strip()}")
        settings: dict[str, list[str]] = {}
        for line in done.output.splitlines():
            keyword, _blank, value = line.partition(" ")
            settings.setdefault(keyword.lower(), []).append(value)
        return settings

    def _counted(self, *arguments: str) -> Done:
        self.calls += 1
        done = run(self.binary, *arguments, *self._host_key)
        missing = re.search(r"Missing privilege separation directory: ((?:/var)?/run/\S+)", done.errors)
        if done.code and missing:
            # With socket activation it exists only during a login; units and packages create the same folder.
            Path(missing.group(1)).mkdir(mode=0o755, exist_ok=True)
            done = run(self.binary, *arguments, *self._host_key)
        if done.code and NO_HOST_KEYS in done.errors and not self._host_key and self._may_pass_host_key:
            self._host_key = self._passing_host_key()
            done = run(self.binary, *arguments, *self._host_key)
        return done

    @property
    def _may_pass_host_key(self) -> bool:
        """An sshd that is running here without host keys is a fault to be told."""
        return self._for_other_hosts or not listening_commands()

    def _passing_host_key(self) -> list[str]:
        """For an image under construction: hosts generate their keys at first boot, but sshd needs one to answer."""
        self._folder = tempfile.TemporaryDirectory(prefix="fleetmfa-sshd-")
        key = f"{self._folder.name}/key"
        done = run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
        if done.code:
            raise FleetMfaError(
                f"sshd has no host keys, and a temporary one cannot be created: {done.said}; run ssh-keygen -A"
            )
        return ["-h", key]
