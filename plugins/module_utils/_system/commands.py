# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Runs the system's own programs: where they are searched, for how long they run, with which environment. Private.

They inherit nothing from the caller, since mfa-enroll runs on behalf of a user: no environment, no standard input, no
working directory. This file also runs without Ansible, inside the roll-back program, so not with AnsibleModule.run_command.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from typing import NamedTuple, Sequence

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError

# The distribution's programs take precedence over locally built ones.
PATH = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin"
# Enough for the slowest of them on a busy host, but limited: a hanging program must not block a roll-back.
_SECONDS = 60
_ENVIRONMENT = {"PATH": PATH, "LC_ALL": "C"}


class Done(NamedTuple):
    """The result of a program: exit status, standard output and standard error."""

    code: int
    output: str
    errors: str

    @property
    def said(self) -> str:
        return (self.output + self.errors).strip()


def find_program(program: str) -> str | None:
    """The path of a program, given its name or path; None if it does not exist."""
    return shutil.which(program, path=PATH)


def run(program: str, *arguments: str) -> Done:
    """Run it until it ends. A FleetMfaError if it does not exist, cannot be started or does not end in time."""
    try:
        done = subprocess.run(  # pylint: disable=ansible-bad-function
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
    """Whether it could be run and exited with status 0."""
    try:
        return run(program, *arguments).code == 0
    except FleetMfaError:
        return False


def start_detached(program: str, *arguments: str) -> None:
    """Start it in its own session, where it survives this process."""
    subprocess.Popen(  # pylint: disable=ansible-bad-function
        [_found(program), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env=_ENVIRONMENT,
        start_new_session=True,
    )


def feed(command: Sequence[str], text: bytes, seconds: float) -> str | None:
    """Run somebody else's program, an absolute path and arguments, with this standard input. What went wrong, None if nothing did.

    After that time it is killed with everything that it has started in its session. What it prints is thrown away: it may contain
    secrets of its own.
    """
    try:
        process = subprocess.Popen(  # pylint: disable=ansible-bad-function,consider-using-with
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={**_ENVIRONMENT, "LC_ALL": "C.UTF-8"},
            start_new_session=True,
        )
    except OSError as error:
        return f"cannot be started: {error.strerror}"
    try:
        process.communicate(text, timeout=seconds)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return f"did not end within {seconds:.0f} seconds and was killed"
    return f"ended with status {process.returncode}" if process.returncode else None


def _found(program: str) -> str:
    found = find_program(program)
    if found is None:
        raise FleetMfaError(f"{program} was not found (searched {PATH}); install its package")
    return found
