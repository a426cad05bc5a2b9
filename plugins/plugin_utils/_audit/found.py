# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A finding as a report has it: of a host or of the fleet, open or accepted. Private to the collection."""

from __future__ import annotations

from typing import Any, Iterable, Mapping, NamedTuple

from ansible_collections.fleetmfa.ssh.plugins.module_utils._findings import SEVERITIES
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.catalogue import kinds

FLEET = "(fleet)"


class JudgedFinding(NamedTuple):
    """`host` is FLEET for a finding of none; `accepted` is who has accepted it (reason, owner, until), if anybody has."""

    id: str
    severity: str
    host: str
    message: str
    evidence: tuple[str, ...]
    remedy: str
    accepted: Mapping[str, str] | None = None

    def as_dict(self) -> dict[str, Any]:
        return {**self._asdict(), "evidence": list(self.evidence)}


def found(name: str, host: str, evidence: Iterable[str]) -> JudgedFinding:
    """One that the report makes itself."""
    kind = kinds()[name]
    return JudgedFinding(name, kind.severity, host, kind.title, tuple(evidence), kind.remedy)


def found_on(host: str, reported: Mapping[str, Any]) -> JudgedFinding:
    """One that a host has reported. Of an id that is not in the catalogue, all is as the host says."""
    kind = kinds().get(reported["id"])
    return JudgedFinding(
        id=reported["id"],
        severity=kind.severity if kind else reported["severity"],
        host=host,
        message=str(reported.get("message") or (kind.title if kind else reported["id"].replace("_", " "))),
        evidence=tuple(reported["evidence"]),
        remedy=kind.remedy if kind else reported["remedy"],
    )


def gravity(one: JudgedFinding) -> tuple[int, str, str]:
    """To sort by: the most severe first."""
    return SEVERITIES.index(one.severity), one.id, one.host
