# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The evidence document: all that an audit has found, in one JSON file, with its own SHA-256. Private to the collection.

docs/audit.schema.json is its schema. Every report is made of the document alone, so that whoever has the document can make and
check all of them.
"""

from __future__ import annotations

import datetime
import hashlib
import json
from pathlib import Path
from typing import Any, Iterable, NamedTuple, Sequence

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.utc import utc_text
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.catalogue import kinds
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.evidence import AuditedHost
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.figures import figures
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.fleet import RunTimes, fleet_findings
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.found import JudgedFinding, found_on, gravity
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.judged_controls import judged_controls
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.logins import login_figures, login_findings
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.waivers import Waiver, with_waivers

KIND, SCHEMA = "fleetmfa.ssh audit", 1
Document = dict[str, Any]


class Run(NamedTuple):
    """Of the audit itself: what made it, who, where, when, and how."""

    version: str  # of the collection
    ansible: str
    by: str  # USER@HOST
    times: RunTimes
    parameters: dict[str, Any]


def audit_document(
    run: Run,
    hosts: Sequence[AuditedHost],
    waivers: Sequence[Waiver],
    logins: Sequence[dict[str, Any]] = (),
    drift: Sequence[JudgedFinding] = (),
) -> Document:
    """Without its hash, which `sealed` adds. `logins` are those of `read_logins`, `drift` is that of `role_drift`."""
    today = datetime.datetime.fromtimestamp(run.times.end, datetime.timezone.utc).date()
    reported = [
        found_on(host.host, one) for host in hosts if host.evidence is not None for one in host.evidence["findings"]
    ]
    made = [*fleet_findings(hosts, run.times), *login_findings(logins), *drift]
    findings = sorted(with_waivers([*reported, *made], waivers, today), key=gravity)
    counted = {**figures(hosts, findings), "logins": login_figures(logins)}
    return {
        "kind": KIND,
        "schema": SCHEMA,
        "run": {
            "tool": {"name": "fleetmfa.ssh", "version": run.version, "ansible": run.ansible},
            "by": run.by,
            "started": utc_text(run.times.start),
            "finished": utc_text(run.times.end),
            "parameters": run.parameters,
        },
        "figures": counted,
        "findings": [one.as_dict() for one in findings],
        "catalogue": _catalogue(findings),
        "controls": judged_controls(findings, counted),
        "waivers": [one.as_dict() for one in waivers],
        "hosts": [_host(host) for host in hosts if host.evidence is not None],
        "logins": list(logins),
        "not_reached": [{"host": host.host, "why": host.why} for host in hosts if host.evidence is None],
        "changes": None,
    }


def _host(host: AuditedHost) -> dict[str, Any]:
    """The host's findings stand with those of the fleet."""
    evidence = {name: value for name, value in (host.evidence or {}).items() if name != "findings"}
    return {"host": host.host, "evidence": evidence}


def _catalogue(findings: Iterable[JudgedFinding]) -> dict[str, dict[str, Any]]:
    """What is the same for all findings of an id, for the ids that are there."""
    told = {}
    for one in findings:
        kind = kinds().get(one.id)
        told[one.id] = {
            "title": kind.title if kind else one.id.replace("_", " "),
            "severity": one.severity,
            "controls": list(kind.controls) if kind else [],
        }
    return told


# The hash


def canonical(document: Document) -> bytes:
    """The bytes that the hash is of: sorted names, no blanks, ASCII, without the hash itself."""
    rest = {name: value for name, value in document.items() if name != "sha256"}
    return json.dumps(rest, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def sealed(document: Document) -> Document:
    return {**document, "sha256": hashlib.sha256(canonical(document)).hexdigest()}


def content(document: Document) -> bytes:
    """The file."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii") + b"\n"


def read_document(path: str) -> Document:
    """An earlier document, with its hash checked."""
    option = f"compare (mfa_audit_compare): {path}"
    try:
        document = json.loads(Path(path).read_bytes())
    except OSError as error:
        raise FleetMfaError(f"{option}: {error.strerror}") from None
    except ValueError:
        raise FleetMfaError(f"{option}: is no JSON file") from None
    if not isinstance(document, dict) or document.get("kind") != KIND:
        raise FleetMfaError(f"{option}: is no evidence document (audit.json)")
    if document.get("schema") != SCHEMA:
        raise FleetMfaError(f"{option}: has another version of the schema than {SCHEMA}; make a new one")
    if sealed(document) != document:
        raise FleetMfaError(f"{option}: was changed since it was written: its SHA-256 does not fit")
    return document
