# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What role mfa would change on a host, from its run in check mode (roles/mfa/tasks/drift.yml). Private to the collection."""

from __future__ import annotations

from typing import Any, Iterator, Mapping

from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.parts import PARTS
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.found import JudgedFinding, found
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.scrub import text_of_host


def role_drift(host: str, result: Any) -> Iterator[JudgedFinding]:
    """`result` is what totp_host has returned there; where the role's variables remove everything, it was skipped."""
    if isinstance(result, Mapping) and result.get("skipped"):
        return
    evidence = list(_evidence(result if isinstance(result, Mapping) else {"failed": True, "msg": "there is no result"}))
    if evidence:
        yield found("state_drift", host, map(text_of_host, evidence))


def _evidence(result: Mapping[str, Any]) -> Iterator[str]:
    if result.get("failed") or result.get("unreachable"):
        yield f"not all could be compared with what role mfa would write: {str(result.get('msg', 'no reason given'))[:300]}"
    for part, words in PARTS.items():
        yield from _of_part(words, result.get(part) or {})


def _of_part(words: str, told: Mapping[str, Any]) -> Iterator[str]:
    paths, units = [*told.get("paths", ()), *told.get("files", ())], [*told.get("units", ())]
    yield from (f"{path}: role mfa would write something else" for path in paths)
    if paths:
        return  # which may be why the units would be started
    yield from (f"{unit}: role mfa would start it" for unit in units)
    if told.get("changed") and not units:
        yield f"{words}: role mfa would change something"
