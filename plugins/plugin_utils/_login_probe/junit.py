# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Rows as a JUnit XML file, for CI. Private to the collection."""

from __future__ import annotations

from typing import Sequence
from xml.etree import ElementTree

from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._junit import as_xml
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._login_probe.row import ERROR, ProbeRow, ProbeStep

SUITE = "ssh_login_probe"


def junit_xml(rows: Sequence[ProbeRow]) -> bytes:
    """One test case for each row: its class is the host, its name the user and what was expected."""
    errors = sum(row.result == ERROR for row in rows)
    failures = sum(not row.ok for row in rows) - errors
    numbers = {"tests": str(len(rows)), "failures": str(failures), "errors": str(errors), "skipped": "0"}
    numbers["time"] = f"{sum(row.seconds for row in rows):.2f}"
    suites = ElementTree.Element("testsuites", {"name": SUITE, **numbers})
    suite = ElementTree.SubElement(suites, "testsuite", {"name": SUITE, **numbers})
    for row in rows:
        name = f"{row.user}: {row.expected}"
        case = ElementTree.SubElement(
            suite, "testcase", {"classname": row.host, "name": name, "time": f"{row.seconds:.2f}"}
        )
        if not row.ok:
            kind = "error" if row.result == ERROR else "failure"
            message = f"expected {row.expected}, was {row.result}"
            problem = ElementTree.SubElement(case, kind, {"message": message, "type": row.result})
            problem.text = row.reason
        ElementTree.SubElement(case, "system-out").text = "\n".join(map(_line, row.steps))
    return as_xml(suites)


def _line(step: ProbeStep) -> str:
    prompts = "".join(f" {prompt!r}" for prompt in step.prompts)
    return f"{step.method}: {step.outcome}{prompts}; then {', '.join(step.methods) or 'nothing'}"
