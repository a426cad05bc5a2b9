# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Our marked block in a file that is managed by somebody else, byte for byte. Private to the collection.

The only code that reads and writes such blocks, in PAM services, sshd_config and shell start-up files alike. Lines end
with a line feed, as for libpam, sshd and shells. A marker is a whole line; blanks and a carriage return around it are
ignored, since editors add them. A line that only starts like a marker is a normal comment.
"""

from __future__ import annotations

from typing import NamedTuple

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError

# The text after BEGIN and END. A file may have one block of each name.
BLOCK = "fleetmfa.ssh"
ACCOUNT_BLOCK = "fleetmfa.ssh account check"
_BLANKS = b" \t\r"


class Blocked(NamedTuple):
    """A file around our block. Adding or removing the block affects only its own lines, and nothing else."""

    head: bytes
    inside: bytes | None  # between the markers; None without a block
    tail: bytes

    @property
    def without(self) -> bytes:
        return self.head + self.tail


def split(text: bytes, path: str, name: str = BLOCK) -> Blocked:
    """Find our block of that name. A FleetMfaError if the markers do not form exactly one block or none, since its
    extent is then unknown."""
    lines, wanted = lines_of(text), _marks(name)
    marks = [index for index, line in enumerate(lines) if _mark(line) in wanted]
    if not marks:
        return Blocked(text, None, b"")
    if [_mark(lines[index]) for index in marks] != wanted:
        places = ", ".join(str(index + 1) for index in marks)
        raise FleetMfaError(
            f"{path}: the marker lines '{wanted[0].decode()}' and '{wanted[1].decode()}' do not match (lines "
            f"{places}); leave one of each, around our lines, or neither"
        )
    begin, end = marks
    return Blocked(b"".join(lines[:begin]), b"".join(lines[begin + 1 : end]), b"".join(lines[end + 1 :]))


def block(content: bytes, source: str, name: str = BLOCK) -> bytes:
    """`content` between the markers. It must be inserted at the start of a line or of the file."""
    for number, line in enumerate(lines_of(content), 1):
        if _mark(line) in (mark for name in (BLOCK, ACCOUNT_BLOCK) for mark in _marks(name)):
            raise FleetMfaError(f"{source}, line {number}: the marker lines are added by the module; leave them out")
    newline = b"" if content.endswith(b"\n") or not content else b"\n"
    begin, end = _marks(name)
    return begin + b"\n" + content + newline + end + b"\n"


def lines_of(text: bytes) -> list[bytes]:
    """Each line with its line feed; the last may have none. bytes.splitlines() would also split at carriage returns."""
    lines = [line + b"\n" for line in text.split(b"\n")]
    lines[-1] = lines[-1][:-1]
    return lines if lines[-1] else lines[:-1]


def _marks(name: str) -> list[bytes]:
    return [f"# BEGIN {name}".encode(), f"# END {name}".encode()]


def _mark(line: bytes) -> bytes:
    return line.strip(_BLANKS + b"\n")
