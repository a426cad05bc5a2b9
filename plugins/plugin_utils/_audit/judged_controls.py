# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Controls, judged by the findings and figures of an audit: met, not met, not judged. Private to the collection.

Met means that nothing which this audit looks at speaks against it; it is never more than that.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Iterable, Iterator

from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.catalogue import Control, controls, kinds
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.found import JudgedFinding

MET, NOT_MET, NOT_JUDGED = "met", "not_met", "not_judged"
_INTERNAL = ("gap", "not_judged", "coverage", "anywhere", "observed")
_WORDS = {"all": ("accounts", "human accounts"), "admins": ("admins", "accounts of administrators")}


def judged_controls(findings: Iterable[JudgedFinding], figures: dict[str, Any]) -> list[dict[str, Any]]:
    open_, accepted = Counter[str](), Counter[str]()
    for one in findings:
        (accepted if one.accepted else open_)[one.id] += 1
    return [_judged(control, open_, accepted, figures) for control in controls()]


def _judged(control: Control, open_: Counter[str], accepted: Counter[str], figures: dict[str, Any]) -> dict[str, Any]:
    told = {name: [*_told(name, open_[name], accepted[name])] for name in control.findings}
    against = [text for name, texts in told.items() for text in texts if not kinds()[name].unknown]
    unknown = [text for name, texts in told.items() for text in texts if kinds()[name].unknown]
    against = [*filter(None, [control.gap]), *against, *_coverage(control, figures)]
    unseen = [*_unseen(control, figures), *unknown, *filter(None, [control.not_judged])]
    state = NOT_MET if against else NOT_JUDGED if unseen else MET
    fields = {name: value for name, value in control._asdict().items() if name not in _INTERNAL}
    return {**fields, "findings": list(control.findings), "state": state, "why": [*against, *unseen]}


def _told(name: str, open_: int, accepted: int) -> Iterator[str]:
    if open_:
        yield f"{name}: {open_} open"
    if accepted:
        yield f"{name}: {accepted} accepted as a risk"


def _coverage(control: Control, figures: dict[str, Any]) -> Iterator[str]:
    if not control.coverage:
        return
    key, words = _WORDS[control.coverage]
    counts = figures[key]
    if counts["enforced"] < counts["all"]:
        rest = {state: counts[state] for state in ("none", "pending", "validated", "exempt") if counts[state]}
        told = ", ".join(f"{count} {state}" for state, count in rest.items())
        yield f"{counts['enforced']} of {counts['all']} {words} are enforced ({told})"


def _unseen(control: Control, figures: dict[str, Any]) -> Iterator[str]:
    """Why the audit cannot say that a control is met."""
    hosts = figures["hosts"]
    if hosts["reached"] < hosts["all"]:
        yield f"{hosts['all'] - hosts['reached']} of {hosts['all']} hosts were not audited"
    if hosts["not_read"]:
        yield f"the sshd of {hosts['not_read']} hosts could not be judged"
    if hosts["nobody_enforced"] and not control.anywhere:
        yield f"on {hosts['nobody_enforced']} hosts nobody is enforced, so nothing shows there how MFA works"
    if control.observed and not figures["logins"]["asked"]:
        yield "no login was observed that was asked for a token (mfa_audit_logins makes some)"
    if control.coverage and not figures[_WORDS[control.coverage][0]]["all"]:
        yield f"no {_WORDS[control.coverage][1]} were found"
