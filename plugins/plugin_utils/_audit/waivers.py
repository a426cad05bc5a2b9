# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Accepted risks: a file of waivers, and what they do to findings. Private to the collection."""

from __future__ import annotations

import datetime
import difflib
import fnmatch
import re
from pathlib import Path
from typing import Any, Iterable, Iterator, Mapping, NamedTuple, Sequence

import yaml

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.catalogue import kinds
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.found import FLEET, JudgedFinding, found
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._refused_secrets import refuse_secrets

REQUIRED = ("finding", "host", "reason", "owner", "until")
KNOWN = (*REQUIRED, "user")
_OF_WAIVERS = "waiver_"
_LONGEST = 500


class Waiver(NamedTuple):
    number: int  # in the file, from 1
    finding: str
    host: str  # a pattern such as web*; the fleet's own findings match *
    user: str | None
    reason: str
    owner: str
    until: datetime.date  # the last day

    @property
    def told(self) -> str:
        of_user = f" of {self.user}" if self.user else ""
        return f"entry {self.number}: {self.finding}{of_user} on {self.host}, owner {self.owner}, until {self.until}"

    def as_dict(self) -> dict[str, Any]:
        return {**self._asdict(), "until": self.until.isoformat()}

    def accepts(self, one: JudgedFinding, text: str) -> bool:
        """Whether this piece of the finding's evidence is what was accepted."""
        return self._concerns(one) and (self.user is None or _is_about(text, self.user))

    def _concerns(self, one: JudgedFinding) -> bool:
        at = self.host == "*" if one.host == FLEET else fnmatch.fnmatchcase(one.host, self.host)
        return self.finding == one.id and at


def _is_about(text: str, user: str) -> bool:
    """Whether a text of evidence is about this user alone: `bob: ...`, `bob has ...`, `/a/folder/bob: ...`."""
    return bool(re.match(rf"(?:/\S*/)?{re.escape(user)}(?::|\s(?!and\s|or\s))", text))


# Reading


def read_waivers(path: str) -> list[Waiver]:
    """A FleetMfaError names the entry and the item that is wrong."""
    try:
        # Texts only: a wrong date is told with its entry.
        content = yaml.load(Path(path).read_text(encoding="utf-8"), yaml.BaseLoader)  # noqa: S506
    except (OSError, ValueError, yaml.YAMLError) as error:
        why = error.strerror if isinstance(error, OSError) else f"is no YAML file{_line(error)}"
        raise FleetMfaError(f"waivers (mfa_audit_waivers): {path}: {why}") from None
    if not isinstance(content, list):
        raise FleetMfaError(f"waivers (mfa_audit_waivers): {path}: must be a list of waivers; [] for none")
    waivers = []
    for number, entry in enumerate(content, 1):
        try:
            waivers.append(_waiver(number, entry))
        except FleetMfaError as error:
            raise FleetMfaError(f"waivers (mfa_audit_waivers): {path}, entry {number}: {error}") from None
    return waivers


def _line(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    return f", line {mark.line + 1}" if mark else ""


def _waiver(number: int, entry: Any) -> Waiver:
    if not isinstance(entry, Mapping):
        raise FleetMfaError(f"must be a dictionary with {', '.join(REQUIRED)}, and user if you like")
    refuse_secrets(entry)
    unknown = sorted(str(name) for name in entry if name not in KNOWN)
    if unknown:
        raise FleetMfaError(f"{unknown[0]}: there is no such item; a waiver has {', '.join(KNOWN)}")
    for name in REQUIRED:
        if not entry.get(name):
            raise FleetMfaError(f"{name}: is missing")
    texts = {name: _text(name, entry[name]) for name in ("finding", "host", "reason", "owner")}
    user = _text("user", entry["user"]) if entry.get("user") else None
    _check_finding(texts["finding"])
    return Waiver(number=number, user=user, until=_date(entry["until"]), **texts)


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise FleetMfaError(f"{name}: must be a string")
    text = value.strip()
    if not text or not text.isprintable() or len(text) > _LONGEST:
        raise FleetMfaError(f"{name}: must be one line of at most {_LONGEST} printable characters")
    return text


def _check_finding(name: str) -> None:
    if name.startswith(_OF_WAIVERS):
        raise FleetMfaError("finding: a finding about waivers cannot be waived")
    if name not in kinds():
        alike = difflib.get_close_matches(name, kinds(), n=1)
        raise FleetMfaError(f"finding: there is no such finding{f'; did you mean {alike[0]}?' if alike else ''}")


def _date(text: Any) -> datetime.date:
    try:
        return datetime.date.fromisoformat(text)
    except (TypeError, ValueError):
        raise FleetMfaError("until: must be a date such as 2027-01-31, the last day of the waiver") from None


# What they do


def with_waivers(
    findings: Iterable[JudgedFinding], waivers: Sequence[Waiver], today: datetime.date
) -> list[JudgedFinding]:
    """All findings, the accepted ones as such, and findings about the waivers themselves.

    A finding of which only some evidence is accepted becomes two.
    """
    valid = [one for one in waivers if one.until >= today]
    used: set[int] = set()
    judged = [part for one in findings for part in _split(one, valid, used)]
    for waiver in waivers:
        expired = waiver.until < today
        if expired or waiver.number not in used:
            judged.append(found("waiver_expired" if expired else "waiver_unused", FLEET, [waiver.told]))
    return judged


def _split(one: JudgedFinding, waivers: Sequence[Waiver], used: set[int]) -> Iterator[JudgedFinding]:
    parts: dict[Waiver | None, list[str]] = {}
    for text in one.evidence or ("",):
        by = next((waiver for waiver in waivers if waiver.accepts(one, text)), None)
        parts.setdefault(by, []).append(text)
    for waiver, texts in parts.items():
        part = one._replace(evidence=tuple(filter(None, texts)))
        if waiver:
            used.add(waiver.number)
            part = part._replace(accepted={key: waiver.as_dict()[key] for key in ("reason", "owner", "until")})
        yield part
