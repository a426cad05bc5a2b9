# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Findings of a sync, as its actions report them. Private to the collection."""

from __future__ import annotations

from typing import Callable, Iterable

from ansible_collections.fleetmfa.ssh.plugins.module_utils._findings import Finding, FindingReport, merged


def reported(findings: Iterable[Finding], warn: Callable[[str], None]) -> list[FindingReport]:
    """As warnings, too: nobody reads the result of a run that went well, and some of these are said only once."""
    found = merged([*findings])
    for finding in found:
        warn(str(finding))
    return [finding.as_dict() for finding in found]
