# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Controls, judged by the findings and figures of an audit: met, not met, not judged. Private to the collection.

Met means that nothing which this audit looks at speaks against it; it is never more than that.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Iterable, Iterator

from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.catalogue import Control, controls
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.found import JudgedFinding

MET, NOT_MET, NOT_JUDGED = "met", "not_met", "not_judged"
_NOT_REACHED = "host_not_reached"
_WORDS = {"all": ("accounts", "human accounts"), "admins": ("admins", "accounts of administrators")}


def judged_controls(findings: Iterable[JudgedFinding], figures: dict[str, Any]) -> list[dict[str, Any]]:
    open_, accepted = Counter[str](), Counter[str]()
    for one in findings:
        (accepted if one.accepted else open_)[one.id] += 1
    return [_judged(control, open_, accepted, figures) for control in controls()]


def _judged(control: Control, open_: Counter[str], accepted: Counter[str], figures: dict[str, Any]) -> dict[str, Any]:
    against = [*_against(control, open_, accepted, figures)]
    unseen = [*_unseen(control, figures)]
    state = NOT_MET if against else NOT_JUDGED if unseen else MET
    fields = {name: value for name, value in control._asdict().items() if name not in ("gap", "not_judged", "coverage")}
    return {**fields, "findings": list(control.findings), "state": state, "why": [*against, *unseen]}


def _against(control: Control, open_: Counter[str], accepted: Counter[str], figures: dict[str, Any]) -> Iterator[str]:
    if control.gap:
        yield control.gap
    for name in control.findings:
        if name == _NOT_REACHED:  # says nothing against the control, see below
            continue
        if open_[name]:
            yield f"{name}: {open_[name]} open"
        if accepted[name]:
            yield f"{name}: {accepted[name]} accepted as a risk"
    if control.coverage:
        key, words = _WORDS[control.coverage]
        counts = figures[key]
        if counts["enforced"] < counts["all"]:
            rest = {state: counts[state] for state in ("none", "pending", "validated", "exempt") if counts[state]}
            told = ", ".join(f"{count} {state}" for state, count in rest.items())
            yield f"{counts['enforced']} of {counts['all']} {words} are enforced ({told})"


def _unseen(control: Control, figures: dict[str, Any]) -> Iterator[str]:
    """Why the audit cannot say that the control is met."""
    hosts = figures["hosts"]
    if hosts["reached"] < hosts["all"]:
        yield f"{hosts['all'] - hosts['reached']} of {hosts['all']} hosts were not audited"
    if hosts["not_read"]:
        yield f"the sshd of {hosts['not_read']} hosts could not be judged"
    if control.coverage and not figures[_WORDS[control.coverage][0]]["all"]:
        yield f"no {_WORDS[control.coverage][1]} were found"
    if control.not_judged:
        yield control.not_judged
