# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Reads a record of the key store field by field, strictly; an error names the field and never shows a value. Private."""

from __future__ import annotations

import datetime
import re
from typing import Any

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError

_TIME_LIKE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)  # strptime would take six times as long


class Fields:
    """The fields of one record; `where` names it in errors. `finish` refuses those that nobody has asked for."""

    def __init__(self, record: Any, where: str):
        if not isinstance(record, dict):
            raise FleetMfaError(f"{where}: must be a JSON object")
        self._record = record
        self._where = where
        self._read: set[str] = set()

    def has(self, name: str) -> bool:
        return name in self._record

    def text(self, name: str, default: str | None = None) -> str:
        value = self._value(name, default)
        if not isinstance(value, str) or not value.isprintable():
            raise self.wrong(name, "must be a printable text")
        return value

    def number(self, name: str, low: int, high: int, default: int | None = None) -> int:
        value = self._value(name, default)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise self.wrong(name, f"must be a whole number, {low} to {high}")
        return value

    def time(self, name: str) -> int:
        """Seconds since the epoch."""
        text = self.text(name)
        try:
            moment = datetime.datetime.fromisoformat(text[:-1] if _TIME_LIKE.fullmatch(text) else "")
        except ValueError:
            raise self.wrong(name, "must be a UTC time such as 2026-01-31T09:00:00Z") from None
        return int(moment.replace(tzinfo=datetime.timezone.utc).timestamp())

    def texts(self, name: str) -> frozenset[str]:
        found = self.items(name)
        if not all(isinstance(one, str) for one in found):
            raise self.wrong(name, "must be a list of texts")
        return frozenset(found)

    def items(self, name: str) -> list[Any]:
        """A list, empty if the field is not there."""
        value = self._value(name, [])
        if not isinstance(value, list):
            raise self.wrong(name, "must be a list")
        return value

    def mapping(self, name: str) -> dict[str, Any]:
        """A JSON object, empty if the field is not there."""
        value = self._value(name, {})
        if not isinstance(value, dict):
            raise self.wrong(name, "must be a JSON object")
        return value

    def wrong(self, name: str, problem: str) -> FleetMfaError:
        return FleetMfaError(f"{self._where}: field {name} {problem}")

    def finish(self) -> None:
        """A field that is not understood may be one that denies somebody, so it is not skipped."""
        unknown = len(set(self._record) - self._read)
        if unknown:
            raise FleetMfaError(
                f"{self._where}: {unknown} fields are unknown; correct the record, or use the version of the "
                "collection that has written it"
            )

    def _value(self, name: str, default: Any) -> Any:
        self._read.add(name)
        value = self._record.get(name, default)
        if value is None:
            raise self.wrong(name, "is missing")
        return value
