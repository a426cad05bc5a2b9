# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""JUnit XML that the strictest of the published schemas accepts. Private to the collection."""

from __future__ import annotations

from typing import Iterable, NamedTuple
from xml.etree import ElementTree

FAILURE, ERROR, SKIPPED = "failure", "error", "skipped"


class JunitCase(NamedTuple):
    """A test case; without `result` it has passed."""

    name: str
    result: str = ""  # FAILURE, ERROR or SKIPPED
    message: str = ""
    kind: str = ""  # of a failure or error
    text: str = ""


class JunitSuites:
    """`package` says what has been tested, `finished` when (ISO 8601, without a time zone)."""

    def __init__(self, package: str, finished: str):
        self._suites = ElementTree.Element("testsuites")
        self._package, self._finished = package, finished

    def add(self, name: str, cases: Iterable[JunitCase]) -> None:
        """A suite, about one host or folder."""
        given = {"name": name, "hostname": name, "id": str(len(self._suites)), "package": self._package, "time": "0"}
        suite = ElementTree.SubElement(self._suites, "testsuite", {**given, "timestamp": self._finished})
        ElementTree.SubElement(suite, "properties")
        for case in cases:
            _add_case(suite, name, case)
        for tag in ("system-out", "system-err"):
            ElementTree.SubElement(suite, tag)
        for attribute, path in (
            ("tests", "testcase"),
            ("failures", f"*/{FAILURE}"),
            ("errors", f"*/{ERROR}"),
            ("skipped", f"*/{SKIPPED}"),
        ):
            suite.set(attribute, str(len(suite.findall(path))))

    def xml(self) -> bytes:
        ElementTree.indent(self._suites)
        xml: bytes = ElementTree.tostring(self._suites, encoding="utf-8", xml_declaration=True)
        return xml + b"\n"


def _add_case(suite: ElementTree.Element, name: str, case: JunitCase) -> None:
    element = ElementTree.SubElement(suite, "testcase", {"classname": name, "name": case.name, "time": "0"})
    if case.result:
        given = {"message": case.message, **({"type": case.kind} if case.kind else {})}
        ElementTree.SubElement(element, case.result, given).text = case.text or None
