# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""JUnit XML that the strictest of the published schemas accepts. Private to the collection."""

from __future__ import annotations

import os
from typing import Iterable, NamedTuple
from xml.etree import ElementTree

from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.files import write_file

FAILURE, ERROR, SKIPPED = "failure", "error", "skipped"


def as_xml(suites: ElementTree.Element) -> bytes:
    ElementTree.indent(suites)
    xml: bytes = ElementTree.tostring(suites, encoding="utf-8", xml_declaration=True)
    return xml + b"\n"


def write_junit(path: str, content: bytes) -> None:
    """No secret is in it, and CI systems read it with accounts of their own."""
    write_file(os.path.abspath(os.path.expanduser(path)), content, 0o644, os.geteuid(), os.getegid())


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
        return as_xml(self._suites)


def _add_case(suite: ElementTree.Element, name: str, case: JunitCase) -> None:
    element = ElementTree.SubElement(suite, "testcase", {"classname": name, "name": case.name, "time": "0"})
    if case.result:
        given = {"message": case.message, **({"type": case.kind} if case.kind else {})}
        ElementTree.SubElement(element, case.result, given).text = case.text or None
