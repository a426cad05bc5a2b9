# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the fleetmfa.ssh authors
"""Our marked block in a file that is not ours, byte for byte. Private to the collection.

The one reader and writer of it, for PAM services, sshd_config and shell start-up files alike. Lines end with a line feed, as
they do for libpam, sshd and shells; a mark is a line that is nothing else, blanks and a carriage return around it apart
(editors indent, and turn line ends). A line that only begins like a mark is somebody's comment.
"""

from __future__ import annotations

from typing import NamedTuple

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError

BLOCK_BEGIN = b"# BEGIN fleetmfa.ssh"
BLOCK_END = b"# END fleetmfa.ssh"
_BLANKS = b" \t\r"


class Blocked(NamedTuple):
    """A file around our block. What the block takes away or brings is its own lines, whole, and nothing else."""

    head: bytes
    inside: bytes | None  # between the marks; None without a block
    tail: bytes

    @property
    def without(self) -> bytes:
        return self.head + self.tail


def split(text: bytes, path: str) -> Blocked:
    """Find our block; a FleetMfaError unless there is exactly one or none, since what it fences cannot be told then."""
    lines = lines_of(text)
    marks = [index for index, line in enumerate(lines) if _is_mark(line)]
    if not marks:
        return Blocked(text, None, b"")
    if [lines[index].strip(_BLANKS + b"\n") for index in marks] != [BLOCK_BEGIN, BLOCK_END]:
        places = ", ".join(str(index + 1) for index in marks)
        raise FleetMfaError(
            f"{path}: the marker lines '{BLOCK_BEGIN.decode()}' and '{BLOCK_END.decode()}' do not pair up (lines {places}); "
            "leave one of each, around our lines, or neither"
        )
    begin, end = marks
    return Blocked(b"".join(lines[:begin]), b"".join(lines[begin + 1 : end]), b"".join(lines[end + 1 :]))


def block(content: bytes, source: str) -> bytes:
    """`content` between the marks. It has to be put before the first byte of a line, or of the file."""
    for number, line in enumerate(lines_of(content), 1):
        if _is_mark(line):
            raise FleetMfaError(f"{source}, line {number}: the marker lines are added by the module; leave them out")
    newline = b"" if content.endswith(b"\n") or not content else b"\n"
    return BLOCK_BEGIN + b"\n" + content + newline + BLOCK_END + b"\n"


def lines_of(text: bytes) -> list[bytes]:
    """Each with its line feed; the last one may have none. bytes.splitlines() would end lines at a carriage return, too."""
    lines = [line + b"\n" for line in text.split(b"\n")]
    lines[-1] = lines[-1][:-1]
    return lines if lines[-1] else lines[:-1]


def _is_mark(line: bytes) -> bool:
    return line.strip(_BLANKS + b"\n") in (BLOCK_BEGIN, BLOCK_END)
