# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""People as one text with a line of JSON for each. Private to the collection.

A record is read only when somebody asks for it and written only when it has changed. With few people asked for, not even
the lines are taken apart: of 50 MB they would be most of the work.
"""

from __future__ import annotations

import json
import re

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._misplaced import shown
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.person import Person
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.records import from_record, to_record

_FEW = 20  # people whose lines are searched for in the text; for more, all lines are indexed
# How our own lines begin. Others (somebody has edited the file) are read as JSON to learn the name.
_OURS = b'\n{"user":"'
_NAME_FIRST = re.compile(rb'\{"user":"([^"\\]+)"[,}]')


class PeopleLines:
    """Mutable. `lines` begins and ends with the end of a line; `path` is for errors."""

    def __init__(self, lines: bytes, path: str):
        self._path = path
        self._lines = lines if lines.endswith(b"\n") else lines + b"\n"
        self._index: dict[str, bytes] | None = None
        if self._lines.count(_OURS) != self._lines.count(b"\n") - 1 or b"\\u" in self._lines:
            self._by_name()

    def render(self) -> bytes:
        if self._index is None:
            return self._lines
        return b"\n".join([b"", *(self._index[name] for name in sorted(self._index)), b""])

    def read(self, users: list[str] | None) -> dict[str, Person]:
        if users is None or len(users) > _FEW:
            users = [name for name in (self._by_name() if users is None else users) if name in self._by_name()]
        lines = {user: self._line(user) for user in users}
        return {user: self._person(line) for user, line in lines.items() if line is not None}

    def write(self, people: list[Person]) -> None:
        if len(people) > _FEW:
            self._by_name()
        for person in people:
            line = dumped(to_record(person))
            if self._index is not None:
                self._index[person.user] = line
            else:
                before, after = self._around(person.user)
                self._lines = b"".join([before, line, b"\n", after])

    def _line(self, user: str) -> bytes | None:
        if self._index is not None:
            return self._index.get(user)
        start, end = self._place(user)
        return self._lines[start:end] or None

    def _around(self, user: str) -> tuple[memoryview, memoryview]:
        """What is before the line of this person and what is after it, not copied."""
        start, end = self._place(user)
        lines = memoryview(self._lines)
        return lines[:start], lines[end + 1 :]

    def _place(self, user: str) -> tuple[int, int]:
        """Where the line of this person begins and ends; the end of the text if there is none."""
        beginning = b'\n{"user":' + dumped(user)
        found = self._lines.find(beginning)
        if found < 0:
            return len(self._lines), len(self._lines)
        if self._lines.find(beginning, found + 1) >= 0:
            raise FleetMfaError(f"{self._path}: person {shown(user)} has two records; remove one of the two")
        return found + 1, self._lines.find(b"\n", found + 1)

    def _by_name(self) -> dict[str, bytes]:
        """All lines by name; from then on they are kept so."""
        if self._index is None:
            index: dict[str, bytes] = {}
            for number, line in enumerate(self._lines.split(b"\n")[1:], 2):
                name = self._name_in(line, number)
                if name in index:
                    raise FleetMfaError(f"{self._path}: person {shown(name)} has two records; remove one of the two")
                if name is not None:
                    index[name] = line
            self._index, self._lines = index, b""
        return self._index

    def _name_in(self, line: bytes, number: int) -> str | None:
        known = _NAME_FIRST.match(line)
        if known:
            return known[1].decode("utf-8", "replace")
        return self._person(line, f"line {number}").user if line.strip() else None

    def _person(self, line: bytes, place: str = "the line of a person") -> Person:
        record = loaded(line, f"{self._path}, {place}")
        try:
            return from_record(record)
        except FleetMfaError as error:
            raise FleetMfaError(f"{self._path}: {error}") from None


def dumped(record: object) -> bytes:
    """As compact as JSON can be; text stays readable."""
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()


def loaded(line: bytes, where: str) -> object:
    """A FleetMfaError says where the line cannot be read, and shows nothing of it."""
    try:
        return json.loads(line)
    except ValueError as error:
        column = f", column {error.colno}" if isinstance(error, json.JSONDecodeError) else ""
        raise FleetMfaError(f"{where}{column}: is not JSON; correct it, or restore the backup") from None
