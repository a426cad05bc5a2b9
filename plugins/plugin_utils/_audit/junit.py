# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The document as JUnit XML, for CI: one case for each host and check. Private to the collection."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Iterator, Mapping

from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.catalogue import kinds
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.document import Document
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.found import FLEET
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._junit import ERROR, FAILURE, SKIPPED, JunitCase, JunitSuites

PACKAGE = "fleetmfa.ssh.audit"
_Findings = Mapping[str, list[dict[str, Any]]]


def junit_xml(document: Document) -> bytes:
    """A suite for each host and one for the fleet. A case fails if its finding is open, whatever its severity, and is skipped if
    all of it was accepted. A host that was not reached has one case, which is an error."""
    suites = JunitSuites(PACKAGE, document["run"]["finished"].rstrip("Z"))
    looked = _looked(document)
    for host, found in _by_host(document):
        checks = _checks(found, looked.get(host, set()))
        suites.add(host, (_case(check, found.get(check, [])) for check in checks))
    return suites.xml()


def _by_host(document: Document) -> Iterator[tuple[str, _Findings]]:
    found: dict[str, dict[str, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for one in document["findings"]:
        found[one["host"]][one["id"]].append(one)
    hosts = (one["host"] for one in (*document["hosts"], *document["not_reached"], *document["logins"]))
    for host in dict.fromkeys([FLEET, *hosts]):
        yield host, found[host]


def _looked(document: Document) -> Mapping[str, set[str]]:
    """What has looked at each host, as field `by` of the catalogue. Logins are made to hosts that were not audited, too."""
    looked: dict[str, set[str]] = defaultdict(set, {FLEET: {"fleet"}})
    for by, entries in (("host", document["hosts"]), ("login", document["logins"])):
        for one in entries:
            looked[one["host"]].add(by)
    return looked


def _checks(found: _Findings, looked: set[str]) -> list[str]:
    """All that could have been found, and what was."""
    known = [name for name, kind in kinds().items() if kind.by in looked and name != "host_not_reached"]
    return [*known, *(name for name in found if name not in known)]


def _case(check: str, found: list[dict[str, Any]]) -> JunitCase:
    open_ = [one for one in found if not one["accepted"]]
    if open_:
        result = ERROR if check == "host_not_reached" else FAILURE
        text = [*(text for one in open_ for text in one["evidence"]), f"Remedy: {open_[0]['remedy']}"]
        return JunitCase(check, result, open_[0]["message"], open_[0]["severity"], "\n".join(text))
    if found:
        accepted = found[0]["accepted"]
        told = f"accepted until {accepted['until']} by {accepted['owner']}: {accepted['reason']}"
        return JunitCase(check, SKIPPED, told)
    return JunitCase(check)
