# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Finds what confines a user's session so that mfa-enroll cannot run in it. Private to the collection."""

from __future__ import annotations

import os
from typing import Iterator, NamedTuple

from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.authorized_keys import (
    authorized_keys_files,
    terminals_allowed,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.config import SshdConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.login import Login, deciding_line
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.match import Account

# sshd starts a ForceCommand as `SHELL -c COMMAND`. These shells run it; nologin, git-shell and rbash do not.
_SHELLS = frozenset(
    [
        "sh",
        "bash",
        "dash",
        "ash",
        "ksh",
        "ksh93",
        "mksh",
        "lksh",
        "oksh",
        "pdksh",
        "yash",
        "posh",
        "zsh",
        "fish",
        "tcsh",
        "csh",
        "busybox",
    ]
)


class Candidate(NamedTuple):
    """A user who has a key to validate or is about to get one."""

    account: Account
    shell: str
    home: str

    @property
    def has_usable_shell(self) -> bool:
        return os.path.basename(self.shell or "/bin/sh") in _SHELLS


def confined_for_good(config: SshdConfig, one: Login, candidate: Candidate) -> Iterator[str]:
    """What prevents mfa-enroll even if sshd starts it instead of what the user asked for (enroll_only)."""
    if one.value("chrootdirectory", "none") != "none":
        yield deciding_line(config, one, "chrootdirectory")
    if one.value("permittty") != "yes":
        yield deciding_line(config, one, "permittty")
    if not candidate.has_usable_shell:
        yield f"the login shell {candidate.shell} does not run commands such as mfa-enroll"


def confined_until_then(config: SshdConfig, one: Login) -> Iterator[str]:
    """What prevents mfa-enroll, or the offer at login, before the deadline."""
    if one.value("forcecommand", "none") != "none":
        yield deciding_line(config, one, "forcecommand")


def confined_by_keys(one: Login, candidate: Candidate) -> Iterator[str]:
    """Restrictions in the user's own files. They are reported but decide nothing, since whoever can write the files can
    change them."""
    if one.value("authorizedkeyscommand", "none") != "none":
        return
    patterns = " ".join(one.settings.get("authorizedkeysfile", [])).split()
    files = authorized_keys_files(patterns, candidate.account.name, candidate.account.uid, candidate.home)
    allowed = {path: terminals_allowed(path) for path in files}
    if any(allowed.values()) and not any(map(any, allowed.values())):
        names = ", ".join(path for path, keys in allowed.items() if keys)
        yield f"no key in {names} allows a terminal (restrict or no-pty)"
