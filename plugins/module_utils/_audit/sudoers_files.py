# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Reads sudoers(5) with its includes, as logical lines. Private to the collection."""

from __future__ import annotations

import glob
import os
import re
from typing import Iterator, NamedTuple

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.files import read_file

SUDOERS = "/etc/sudoers"
_INCLUDE = re.compile(r"[@#](?P<what>include|includedir)\s+(?P<path>.+)")
_MOST_INCLUDES = 128  # as sudo


class SudoersLine(NamedTuple):
    """`text` without its comment, continued lines joined."""

    file: str
    number: int
    text: str

    @property
    def place(self) -> str:
        return f"{self.file}:{self.number}"


class SudoersFiles:
    """The lines that sudo reads, and in `problems` what of it cannot be read here."""

    def __init__(self, path: str = SUDOERS):
        self.problems: list[str] = []
        self._depth = 0
        self.lines = list(self._file(path)) if os.path.lexists(path) else []

    def _file(self, path: str) -> Iterator[SudoersLine]:
        try:
            content = read_file(os.path.realpath(path))
        except FleetMfaError as error:
            self.problems.append(str(error))
            return
        if content is None:
            self.problems.append(f"{path} does not exist, but is included")
            return
        for number, text in _logical_lines(content.decode("utf-8", "surrogateescape")):
            include = _INCLUDE.fullmatch(text)
            if include is None:
                yield SudoersLine(path, number, text)
            else:
                yield from self._included(include["what"], _unquoted(include["path"]), path)

    def _included(self, what: str, name: str, including: str) -> Iterator[SudoersLine]:
        path = os.path.join(os.path.dirname(including), name.replace("%h", os.uname().nodename.partition(".")[0]))
        if self._depth >= _MOST_INCLUDES:
            self.problems.append(f"{including} includes {path}, nested too deep")
            return
        self._depth += 1
        for one in [path] if what == "include" else _in_folder(path):
            yield from self._file(one)
        self._depth -= 1


def _in_folder(path: str) -> list[str]:
    """sudo skips names with a dot and those that end with a tilde."""
    found = sorted(glob.glob(f"{glob.escape(path)}/*"))
    return [one for one in found if os.path.isfile(one) and "." not in os.path.basename(one) and not one.endswith("~")]


def _unquoted(text: str) -> str:
    text = text.strip()
    return text[1:-1] if text[:1] == text[-1:] == '"' else text.replace("\\ ", " ")


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    begun, first = "", 0
    for number, line in enumerate(text.split("\n"), 1):
        first = first if begun else number
        if line.endswith("\\"):
            begun += line[:-1]
            continue
        plain = _without_comment(begun + line).strip()
        begun = ""
        if plain:
            yield first, plain
    if begun.strip():
        yield first, _without_comment(begun).strip()


def _without_comment(text: str) -> str:
    """#include is none, and #1000 is a user id."""
    if _INCLUDE.match(text.lstrip()):
        return text
    quoted = escaped = False
    for place, letter in enumerate(text):
        if letter == "#" and not quoted and not escaped and not re.match(r"#-?\d", text[place:]):
            return text[:place]
        quoted = quoted is not (letter == '"' and not escaped)
        escaped = letter == "\\" and not escaped
    return text
