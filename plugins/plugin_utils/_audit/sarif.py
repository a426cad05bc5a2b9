# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The document as SARIF 2.1.0, for code hosts. Private to the collection."""

from __future__ import annotations

import hashlib
import json
from typing import Any
from urllib.parse import quote

from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.document import Document

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {"critical": "error", "high": "error", "medium": "warning", "low": "note"}
# What GitHub sorts by.
_SCORES = {"critical": "9.5", "high": "8.0", "medium": "5.0", "low": "2.0"}


def sarif(document: Document) -> bytes:
    """One result for each finding on each host. An accepted one is suppressed, with the reason.

    A code host shows only results in files, so each host is a file hosts/NAME, which nobody needs to have.
    """
    rules = sorted(document["catalogue"])
    tool = document["run"]["tool"]
    run = {
        "tool": {
            "driver": {
                "name": tool["name"],
                "version": tool["version"],
                "rules": [_rule(document, name) for name in rules],
            }
        },
        "invocations": [
            {
                "executionSuccessful": not document["not_reached"],
                "startTimeUtc": document["run"]["started"],
                "endTimeUtc": document["run"]["finished"],
            }
        ],
        "results": [_result(one, rules.index(one["id"])) for one in document["findings"]],
        "properties": {"evidenceSha256": document["sha256"]},
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1).encode("ascii") + b"\n"


def _rule(document: Document, name: str) -> dict[str, Any]:
    kind = document["catalogue"][name]
    remedy = next(one["remedy"] for one in document["findings"] if one["id"] == name)
    return {
        "id": name,
        "shortDescription": {"text": kind["title"]},
        "help": {"text": f"{remedy}\nControls: {'; '.join(kind['controls']) or 'none'}"},
        "defaultConfiguration": {"level": _LEVELS[kind["severity"]]},
        "properties": {"security-severity": _SCORES[kind["severity"]], "tags": ["security", kind["severity"]]},
    }


def _result(one: dict[str, Any], index: int) -> dict[str, Any]:
    text = f"{one['host']}: {one['message']}: {'; '.join(one['evidence'])}" if one["evidence"] else one["message"]
    result: dict[str, Any] = {
        "ruleId": one["id"],
        "ruleIndex": index,
        "level": _LEVELS[one["severity"]],
        "message": {"text": text},
        "locations": [
            {
                "physicalLocation": {"artifactLocation": {"uri": f"hosts/{quote(one['host'], safe='')}"}},
                "logicalLocations": [{"fullyQualifiedName": one["host"], "kind": "resource"}],
            }
        ],
        "partialFingerprints": {"fleetmfaFinding/v1": _fingerprint(one)},
    }
    if one["accepted"]:
        accepted = one["accepted"]
        why = f"{accepted['reason']} ({accepted['owner']}, until {accepted['until']})"
        result["suppressions"] = [{"kind": "external", "status": "accepted", "justification": why}]
    return result


def _fingerprint(one: dict[str, Any]) -> str:
    """The same for the same finding on the same host in every audit."""
    told = json.dumps([one["id"], one["host"], bool(one["accepted"])])
    return hashlib.sha256(told.encode()).hexdigest()
