# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The document as one self-contained HTML page, for people. Private to the collection."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any, Iterable, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ansible_collections.fleetmfa.ssh.plugins.module_utils._findings import SEVERITIES
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.document import Document
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.figures import may_administer
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.fleet import names
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.matrix import matrix
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.shape import EVENTS, USER_STATES

TEMPLATES = Path(__file__).with_name("templates")
# In the chart, those who are asked first.
_CHART = ("enforced", "validated", "pending", "none", "exempt")
_MOST_EVIDENCE = 25
_MOST_EVENTS = 10
_MOST_LOGINS = 200
_OF_EXEMPTION = ("reason", "approved_by", "until", "kept")


class Bar(NamedTuple):
    """A part of a chart: what, how many, and where it is drawn, in percent."""

    name: str
    number: int
    x: float
    width: float


def report_html(document: Document) -> bytes:
    # Nothing of a host is trusted: all is escaped, and the page runs nothing.
    environment = Environment(
        loader=FileSystemLoader(str(TEMPLATES)),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(hosts=names, words=lambda text: text.replace("_", " "), by_framework=_by_framework)
    page = environment.get_template("report.html.j2").render(
        document=document,
        run=document["run"],
        figures=document["figures"],
        bars=_charts(document),
        kinds=_kinds(document, accepted=False),
        accepted=_kinds(document, accepted=True),
        severities=SEVERITIES,
        events=EVENTS,
        states=USER_STATES,
        matrix=matrix(document),
        exemptions=_exemptions(document),
        frameworks=_frameworks(document),
        logins=sorted(document["logins"], key=lambda one: one["result"] == one["expected"])[:_MOST_LOGINS],
        hosts=_hosts(document),
    )
    return page.encode()


def _charts(document: Document) -> dict[str, list[Bar]]:
    figures = document["figures"]
    states = [one["state"] for one in document["controls"]]
    return {
        "accounts": bars({state: figures["accounts"][state] for state in _CHART}),
        "findings": bars({name: figures["findings"][name]["open"] for name in SEVERITIES}),
        "controls": bars({state: states.count(state) for state in ("met", "not_met", "not_judged")}),
    }


def bars(counts: dict[str, int]) -> list[Bar]:
    total, x, drawn = sum(counts.values()), 0.0, []
    for name, count in counts.items():
        width = 100 * count / total if total else 0.0
        drawn.append(Bar(name, count, round(x, 3), round(width, 3)))
        x += width
    return drawn


def _kinds(document: Document, accepted: bool) -> dict[str, list[dict[str, Any]]]:
    """By severity, one entry for all findings of an id (and of an acceptance)."""
    grouped: dict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
    for one in document["findings"]:
        if bool(one["accepted"]) == accepted:
            risk = one["accepted"] or {}
            grouped[(one["severity"], one["id"], *sorted(risk.values()))].append(one)
    told: dict[str, list[dict[str, Any]]] = {severity: [] for severity in SEVERITIES}
    for found in grouped.values():
        first = found[0]
        evidence = [(one["host"], text) for one in found for text in one["evidence"]]
        told[first["severity"]].append(
            {
                **first,
                **document["catalogue"][first["id"]],
                "hosts": sorted({one["host"] for one in found}),
                "evidence": evidence[:_MOST_EVIDENCE],
                "more": max(0, len(evidence) - _MOST_EVIDENCE),
            }
        )
    return told


def _by_framework(controls: Iterable[str]) -> str:
    """CIS Controls v8.1: 6.3, 6.4; ..."""
    numbers: dict[str, list[str]] = defaultdict(list)
    for control in controls:
        framework, _colon, number = control.partition(": ")
        numbers[framework].append(number)
    return "; ".join(f"{framework}: {', '.join(found)}" for framework, found in numbers.items())


def _frameworks(document: Document) -> dict[str, list[dict[str, Any]]]:
    grouped: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for one in document["controls"]:
        grouped[one["framework"]].append(one)
    return dict(grouped)


def _exemptions(document: Document) -> list[dict[str, Any]]:
    """Each entry once, with the hosts that have it."""
    told: dict[tuple[Any, ...], dict[str, Any]] = {}
    for host in document["hosts"]:
        for one in host["evidence"]["exemptions"]:
            key = (not one["ended"], one["kind"], one["name"], *(str(one[name]) for name in _OF_EXEMPTION))
            told.setdefault(key, {**one, "hosts": []})["hosts"].append(host["host"])
    return [told[key] for key in sorted(told)]


def _hosts(document: Document) -> list[dict[str, Any]]:
    findings: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for one in document["findings"]:
        findings[one["host"]].append(one)
    return [_host(one["host"], one["evidence"], findings[one["host"]]) for one in document["hosts"]]


def _host(name: str, evidence: dict[str, Any], findings: list[dict[str, Any]]) -> dict[str, Any]:
    people = [one for one in evidence["users"] if one["human"]]
    states = [one["state"] for one in people]
    events = sorted(evidence["logs"]["events"], key=lambda event: -event["count"])
    return {
        "name": name,
        "evidence": evidence,
        "findings": findings,
        "open": {level: _open(findings, level) for level in SEVERITIES},
        "people": len(people),
        "states": {state: states.count(state) for state in USER_STATES if state in states},
        "admins": [one for one in evidence["users"] if may_administer(one) and one["state"] != "enforced"],
        "covered": [door["name"] for door in evidence["doors"] if door["state"] == "covered"],
        "doors": [door for door in evidence["doors"] if door["state"] != "covered"],
        "events": events[:_MOST_EVENTS],
        "more_events": max(0, len(events) - _MOST_EVENTS),
        "classes": evidence["sshd"].get("classes", []),
        "sshd_error": evidence["sshd"].get("error"),
    }


def _open(findings: Iterable[dict[str, Any]], severity: str) -> int:
    return sum(one["severity"] == severity and not one["accepted"] for one in findings)
