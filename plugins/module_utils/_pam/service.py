# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Adds the token lines to a PAM service, as a plan that can be proven before it is applied. Private to the collection.

There are two forms: one marked block in the `auth` part of an existing service, at its start or after a line of it
(`door_plan.py`), or a separate service file (sshd's PAMServiceName, OpenSSH 9.8+). Removing the block restores the file byte for
byte (pam.conf(5)).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Iterator, Pattern

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.block import block, lines_of, split
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.files import FileChange, read_file

# A service name becomes a file name in confdir: no slash, no leading dot.
_SERVICE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]*\Z")
# Lines that can add auth lines: an auth line itself (also "-auth") or Debian's @include, which includes every type.
_AUTH_PART = re.compile(rb"\s*(-?auth\s|@include\s)", re.IGNORECASE)


def service_path(confdir: str, service: str) -> str:
    if not _SERVICE_NAME.match(service):
        raise FleetMfaError(f"option 'service': {service!r} is not the name of a PAM service (a file in {confdir})")
    return str(Path(confdir) / service)


def plan_block(confdir: str, service: str, content: str) -> FileChange:
    """The change that makes `content` the first lines in the auth part of an existing service."""
    path = service_path(confdir, service)
    before = read_file(path)
    if not before:
        raise FleetMfaError(
            f"PAM service {path} does not exist or is empty; copy the distribution's file there (it may be in "
            "/usr/lib/pam.d), or create a separate service with 'own_service: true'"
        )
    lines = lines_of(split(before, path).without)
    head = first_line(lines, _AUTH_PART)
    return FileChange(path, b"".join([*lines[:head], block_of(content), *lines[head:]]))


def plan_own_service(confdir: str, service: str, content: str) -> FileChange:
    """The change that makes `content` a separate service; a file written by somebody else is never replaced.

    Lines that somebody has added around ours stay. The proof covers the whole file, and refuses it if they change who
    gets in.
    """
    path = service_path(confdir, service)
    before = read_file(path)
    found = split(before or b"", path)
    if before is not None and found.inside is None:
        raise FleetMfaError(
            f"{path} exists and is not ours; choose another name in option 'service', or remove the file"
        )
    return FileChange(path, found.head + block_of(content) + found.tail)


def plan_removal(confdir: str, service: str) -> FileChange:
    """The change that removes our lines: the block, or the whole file if it contains nothing else."""
    path = service_path(confdir, service)
    before = read_file(path)
    if before is None:
        return FileChange(path, None)
    return FileChange(path, split(before, path).without or None)


def block_of(content: str) -> bytes:
    lines = content.encode().strip(b"\n")
    if not lines:
        raise FleetMfaError("option 'content' is empty; give the PAM lines that ask for the token")
    if lines.rstrip().endswith(b"\\"):
        raise FleetMfaError("option 'content': the last line ends with a backslash and would swallow the next line")
    return block(lines, "option 'content'")


def block_places(path: str, text: bytes) -> set[str]:
    """The places of the lines in our block in this text of a file; none if it has none."""
    found = split(text, path)
    if found.inside is None:
        return set()
    first = found.head.count(b"\n") + 1
    last = first + found.inside.count(b"\n") + 1
    return {f"{path}:{number}" for number in range(first, last + 1)}


def first_line(lines: list[bytes], wanted: Pattern[bytes]) -> int:
    """Index of the first line that starts as wanted, 0 if there is none; never inside a continued line."""
    return next((begin for begin, _end in _starting_with(lines, wanted)), 0)


def auth_ends(lines: list[bytes]) -> list[int]:
    """The index after each line of the auth part, continued lines included."""
    return [end for _begin, end in _starting_with(lines, _AUTH_PART) if lines[end - 1].endswith(b"\n")]


def _starting_with(lines: list[bytes], wanted: Pattern[bytes]) -> Iterator[tuple[int, int]]:
    """Begin and end of each line that starts as wanted; a continued line is one."""
    begin = 0
    for index, line in enumerate(lines):
        comment = begin == index and line.lstrip().startswith(b"#")
        if comment or not line.rstrip(b"\r\n").endswith(b"\\") or index + 1 == len(lines):
            if wanted.match(lines[begin]):
                yield begin, index + 1
            begin = index + 1
