# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Running the system's own programs: where they are looked for, for how long, with which environment. Private.

Nothing of the caller's comes along (mfa-enroll runs on behalf of a user): no environment, no standard input, no working
directory. This file also runs without Ansible, inside the roll-back program.
"""

from __future__ import annotations

import shutil
import subprocess
from typing import NamedTuple

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError

# The distribution's programs before those that somebody has built.
PATH = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin"
# What the slowest of them need on a busy host, and not for ever: a hanging one must not keep a roll-back from its work.
_SECONDS = 60
_ENVIRONMENT = {"PATH": PATH, "LC_ALL": "C"}


class Done(NamedTuple):
    """How a program ended: its exit status, what it wrote to standard output and to standard error."""

    code: int
    output: str
    errors: str

    @property
    def said(self) -> str:
        return (self.output + self.errors).strip()


def find_program(program: str) -> str | None:
    """Where a program is, given its name or its path; None if it is not there."""
    return shutil.which(program, path=PATH)


def run(program: str, *arguments: str) -> Done:
    """Run it to its end; a FleetMfaError if it is not there, cannot be started or does not end."""
    try:
        done = subprocess.run(
            [_found(program), *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            cwd="/",
            env=_ENVIRONMENT,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise FleetMfaError(
            f"{program} did not end within {_SECONDS} seconds; find out what it is waiting for"
        ) from error
    except OSError as error:
        raise FleetMfaError(f"{program} cannot be started: {error.strerror}") from error
    return Done(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))


def succeeds(program: str, *arguments: str) -> bool:
    """Whether it could be run, and ended with success."""
    try:
        return run(program, *arguments).code == 0
    except FleetMfaError:
        return False


def start_detached(program: str, *arguments: str) -> None:
    """Start it in a session of its own, where it outlives this process."""
    subprocess.Popen(
        [_found(program), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env=_ENVIRONMENT,
        start_new_session=True,
    )


def _found(program: str) -> str:
    found = find_program(program)
    if found is None:
        raise FleetMfaError(f"{program} was not found (searched {PATH}); install its package")
    return found
