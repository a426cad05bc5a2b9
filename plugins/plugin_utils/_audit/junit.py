# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The document as JUnit XML, for CI: one case for each host and check. Private to the collection."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Iterator, Mapping
from xml.etree import ElementTree

from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.catalogue import kinds
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.document import Document
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.found import FLEET

PACKAGE = "fleetmfa.ssh.audit"
_Findings = Mapping[str, list[dict[str, Any]]]


def junit_xml(document: Document) -> bytes:
    """A suite for each host and one for the fleet. A case fails if its finding is open, whatever its severity, and is skipped if
    all of it was accepted. A host that was not reached has one case, which is an error."""
    suites = ElementTree.Element("testsuites")
    for number, (host, found) in enumerate(_by_host(document)):
        checks = _checks_of(host, document, found)
        # All that the strictest of the published schemas wants.
        named = {"name": host, "hostname": host, "id": str(number), "package": PACKAGE, "time": "0"}
        suite = ElementTree.SubElement(
            suites, "testsuite", {**named, "timestamp": document["run"]["finished"].rstrip("Z")}
        )
        ElementTree.SubElement(suite, "properties")
        for check in checks:
            _case(suite, host, check, found.get(check, []))
        for tag in ("system-out", "system-err"):
            ElementTree.SubElement(suite, tag)
        _count(suite)
    ElementTree.indent(suites)
    xml: bytes = ElementTree.tostring(suites, encoding="utf-8", xml_declaration=True)
    return xml + b"\n"


def _by_host(document: Document) -> Iterator[tuple[str, _Findings]]:
    found: dict[str, dict[str, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for one in document["findings"]:
        found[one["host"]][one["id"]].append(one)
    hosts = (one["host"] for one in (*document["hosts"], *document["not_reached"], *document["logins"]))
    for host in dict.fromkeys([FLEET, *hosts]):
        yield host, found[host]


def _checks_of(host: str, document: Document, found: _Findings) -> list[str]:
    """All that could have been found, and what was. Logins are made to hosts that were not audited, too."""
    by = []
    if host == FLEET:
        by.append("fleet")
    if any(one["host"] == host for one in document["hosts"]):
        by.append("host")
    if any(one["host"] == host for one in document["logins"]):
        by.append("login")
    known = [name for name, kind in kinds().items() if kind.by in by and name != "host_not_reached"]
    return [*known, *(name for name in found if name not in known)]


def _case(suite: ElementTree.Element, host: str, check: str, found: list[dict[str, Any]]) -> None:
    case = ElementTree.SubElement(suite, "testcase", {"classname": host, "name": check, "time": "0"})
    open_ = [one for one in found if not one["accepted"]]
    if open_:
        kind = "error" if check == "host_not_reached" else "failure"
        problem = ElementTree.SubElement(case, kind, {"message": open_[0]["message"], "type": open_[0]["severity"]})
        problem.text = "\n".join(
            [*(text for one in open_ for text in one["evidence"]), f"Remedy: {open_[0]['remedy']}"]
        )
    elif found:
        accepted = found[0]["accepted"]
        told = f"accepted until {accepted['until']} by {accepted['owner']}: {accepted['reason']}"
        ElementTree.SubElement(case, "skipped", {"message": told})


def _count(suite: ElementTree.Element) -> None:
    for name, tag in (
        ("tests", "testcase"),
        ("failures", "*/failure"),
        ("errors", "*/error"),
        ("skipped", "*/skipped"),
    ):
        suite.set(name, str(len(suite.findall(tag))))
