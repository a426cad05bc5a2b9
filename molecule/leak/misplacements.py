# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Calls of modules and variables of role mfa with secrets where none belong, from the rows of misplacements.yml."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any, Callable, Iterator, NamedTuple

import yaml

TABLE = yaml.safe_load(Path(__file__).with_suffix(".yml").read_text(encoding="utf-8"))
# A refusal names this many places at least.
_AT_ONCE = 15
# What is no text makes another error than what stands beside it, and the first one may be all that is told.
_SHAPES = ("list", "dict", "key", "number")
# Lists whose entries have a name where others have a user.
_WITH_NAMES = ("exempt_users", "exempt_groups")

Make = Callable[[str, str], Any]


class Row(NamedTuple):
    call: str  # the module, or "role"
    where: str
    what: str
    expected: str

    @property
    def names(self) -> list[str]:
        """Of options, from the outermost one to the one with the secret; empty for the name of an unknown one."""
        return re.findall("[a-z_0-9]+", self.where)


class Call(NamedTuple):
    """A module called, or role mfa with some variables, with the rows that it is about."""

    name: str
    options: dict[str, Any]
    rows: list[Row]

    @property
    def expected(self) -> str:
        return self.rows[0].expected

    def says_where(self, message: str) -> bool:
        """A variable's name, which its own message follows; of a module's options all names."""
        names = [row.names[:1] if self.name == "role" else row.names for row in self.rows]
        return all(name in message for name in sum(names, []))


def rows() -> Iterator[Row]:
    for where, whats, expected in TABLE["rows"]:
        module, _blank, option = where.rpartition(" ")
        for what in whats if isinstance(whats, list) else [whats]:
            yield Row(module or "role", option, what, expected)


def calls(make: Make) -> list[Call]:
    """`make(what, name)` makes a marker. Rows of one module that are refused by name share a call, since all are named."""
    found: list[Call] = []
    for group in _groups():
        options = copy.deepcopy(TABLE["bases"].get(group[0].call, {}))
        for row in group:
            _put(options, row.where, _value(make, row))
        found.append(Call(group[0].call, options, group))
    return found


def _groups() -> list[list[Row]]:
    groups: list[list[Row]] = []
    for row in rows():
        fitting = [group for group in groups if row.expected == "named" and _fits(row, group)]
        if fitting:
            fitting[0].append(row)
        else:
            groups.append([row])
    return groups


def _fits(row: Row, group: list[Row]) -> bool:
    """Nothing of the group stands in the way, and its errors are told at once."""
    first = group[0]
    same = (row.call, row.expected) == (first.call, first.expected) and len(group) < _AT_ONCE
    if row.call == "role":  # one error a variable
        return same and row.names[0] not in {one.names[0] for one in group}
    return same and row.what == first.what and row.what not in _SHAPES and row.names not in [one.names for one in group]


def _put(options: Any, where: str, value: Any) -> None:
    """Into options, at `keys[].user` and the like."""
    first, _dot, rest = where.partition(".")
    name, brackets = re.fullmatch(r"([a-z_0-9]*)((?:\[\]|\{\})*)", first).groups()
    if brackets.endswith("{}"):
        named = options if not name else _entry(options, name, brackets[:-2])
        named[value] = ["success"]
    elif rest:
        _put(_entry(options, name, brackets), rest, value)
    else:
        options[name] = [*options.get(name, []), value] if brackets else value


def _entry(options: dict, name: str, brackets: str) -> dict:
    """The dictionary below a name, or the last of the list of them."""
    if not brackets:
        return options.setdefault(name, {})
    entries = options.setdefault(name, [])
    if not entries or not isinstance(entries[-1], dict):  # names may stand beside entries
        entries.append({"name" if name.removeprefix("mfa_") in _WITH_NAMES else "user": "leak1"})
    return entries[-1]


def marker_name(row: Row) -> str:
    return f"{row.call} {row.where} {row.what}"


def _value(make: Make, row: Row) -> Any:
    name = marker_name(row)
    if row.what == "list":
        return [make("secret", name)]
    if row.what == "dict":
        return {"value": make("secret", name)}
    if row.what == "key":
        return {make("secret", name): 1}
    return make(row.what, name)
