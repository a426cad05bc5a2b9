# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The catalogue of controls and findings: catalogue.yml, with severity and remedy of _findings.py. Private to the collection."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any, Iterable, Mapping, NamedTuple

import yaml

from ansible_collections.fleetmfa.ssh.plugins.module_utils._findings import CATALOGUE

DATA = Path(__file__).with_name("catalogue.yml")


class Control(NamedTuple):
    """Of a framework; what each field means is written in catalogue.yml."""

    framework: str
    number: str
    title: str
    evidence: str
    source: str
    verified: str
    findings: tuple[str, ...] = ()
    coverage: str = ""
    gap: str = ""
    not_judged: str = ""
    weaker: str = ""
    anywhere: bool = False
    observed: bool = False

    @property
    def name(self) -> str:
        return f"{self.framework}: {self.number}"


class Kind(NamedTuple):
    """A kind of finding."""

    title: str
    severity: str
    remedy: str
    by: str  # host, fleet, login or other
    unknown: bool  # says that something could not be looked at
    controls: tuple[str, ...]


@functools.lru_cache(maxsize=None)
def controls() -> tuple[Control, ...]:
    data = _data()
    found = []
    for framework in data["frameworks"]:
        for entry in data["controls"][framework]:
            findings = _expanded(entry.get("findings", ()), data["sets"])
            found.append(Control(framework, **{**entry, "findings": findings}))
    return tuple(found)


@functools.lru_cache(maxsize=None)
def kinds() -> Mapping[str, Kind]:
    touching: dict[str, list[str]] = {}
    for control in controls():
        for finding in control.findings:
            touching.setdefault(finding, []).append(control.name)
    return {
        name: Kind(
            entry["title"],
            *CATALOGUE[name],
            by=entry.get("by", "host"),
            unknown=entry.get("unknown", False),
            controls=tuple(touching.get(name, ())),
        )
        for name, entry in _data()["findings"].items()
    }


def _expanded(names: Iterable[str], sets: Mapping[str, list[str]]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for name in names:
        found.update(dict.fromkeys(sets[name[1:]] if name.startswith("@") else [name]))
    return tuple(found)


@functools.lru_cache(maxsize=None)
def _data() -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load(DATA.read_text(encoding="utf-8"))
    return data
