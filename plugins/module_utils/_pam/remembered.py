# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The line that lets in who has given a token not long ago (docs/remember.md): which line of a stack is one. Private to the collection.

A success of `totp-guard remembered SECONDS [GROUP:...]` means that the guard has let in the same user with a token, with the same SSH key
and from the same address. That counts as a way in only for the line that the role writes, in its own block: any other line that runs
the program, or something like it, is a pam_exec line like all others, which may succeed for everybody.
"""

from __future__ import annotations

import contextlib
import os
import re
from typing import Iterable, Sequence

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.config import Line, PamConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.service import block_places
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.texts import bytes_of

GUARD = "/usr/local/libexec/fleetmfa/totp-guard"
REMEMBERED = "remembered"  # as a factor
MOST_SECONDS = 43200  # the same as in totp-guard
_SECONDS = re.compile(r"[1-9][0-9]{0,4}")


def remembered_seconds(line: Line, guard: str = GUARD) -> int:
    """For how long this line remembers a token, 0 if it is none of ours. Whether it is in our block is another question."""
    arguments = line.arguments
    if line.module != "pam_exec.so" or len(arguments) not in (4, 5) or arguments[:3] != ("quiet", guard, REMEMBERED):
        return 0
    jumps = isinstance(line.actions.get("success"), int)
    if not jumps or any(action != "ignore" for result, action in line.actions.items() if result != "success"):
        return 0
    seconds = int(arguments[3]) if _SECONDS.fullmatch(arguments[3]) else 0
    return seconds if seconds <= MOST_SECONDS else 0


def groups_remembered(command: Sequence[str]) -> list[str]:
    """The groups whose members this command of a pam_exec line may let in, if it lets in nobody else."""
    return command[3].split(":") if len(command) == 4 and tuple(command[:2]) == (GUARD, REMEMBERED) else []


def lines_that_remember(config: PamConfig, lines: Iterable[Line], guard: str = GUARD) -> dict[str, int]:
    """The places of such lines in our block, and for how many seconds each remembers."""
    found = {line.place: seconds for line in lines if (seconds := remembered_seconds(line, guard))}
    files = {line.file for line in lines if line.place in found}
    ours = {place for file in files for place in _ours(config, file)}
    return {place: seconds for place, seconds in found.items() if place in ours}


def _ours(config: PamConfig, path: str) -> set[str]:
    found = config.find_file(os.path.basename(path))
    if found is None or found[0] != path:
        return set()
    with contextlib.suppress(FleetMfaError):  # half a block is none
        return block_places(path, bytes_of(found[1]))
    return set()
