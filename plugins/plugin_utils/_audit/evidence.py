# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What a host has said in an audit, or why it has not. Private to the collection."""

from __future__ import annotations

from typing import Any, Mapping, NamedTuple

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.scrub import scrubbed, scrubbed_events, text_of_host
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.shape import check_evidence


class AuditedHost(NamedTuple):
    """The evidence of a host; None if it was not reached, and then `why`. `asked`: from when until when, by the controller's clock."""

    host: str
    evidence: dict[str, Any] | None
    why: str = ""
    asked: tuple[float, float] | None = None


def host_audit(host: str, result: Any) -> AuditedHost:
    """`result` is what the collecting task has registered on the host."""
    if not isinstance(result, Mapping):
        return AuditedHost(host, None, "gave no result; see the errors of the run")
    if result.get("unreachable") or result.get("failed"):
        kind = "unreachable" if result.get("unreachable") else "failed"
        return AuditedHost(host, None, f"{kind}: {text_of_host(str(result.get('msg', 'no reason given')))[:300]}")
    if result.get("skipped"):
        return AuditedHost(host, None, "skipped: the task that collects was not run")
    try:
        return AuditedHost(host, _taken(result.get("evidence")), asked=_asked(result))
    except FleetMfaError as error:
        return AuditedHost(host, None, f"failed: the result is not one of host_audit_info: {error}")


def _asked(result: Mapping[str, Any]) -> tuple[float, float] | None:
    """Said by the action of the module, not by the host."""
    given = result.get("asked")
    return (given["began"], given["ended"]) if given else None


def _taken(given: Any) -> dict[str, Any]:
    check_evidence(given)
    accounts = {one["user"] for one in given["users"] if one["user"].isprintable()}
    evidence: dict[str, Any] = scrubbed(given, accounts)
    evidence["logs"]["events"] = scrubbed_events(evidence["logs"]["events"], accounts)
    return evidence
