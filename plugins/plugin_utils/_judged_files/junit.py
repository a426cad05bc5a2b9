# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The verdicts as JUnit XML, for CI: a case for each class of users. Private to the collection."""

from __future__ import annotations

import time
from typing import Sequence

from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._judged_files.text import details
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._judged_files.wanted import ComparedUsers
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._junit import ERROR, FAILURE, JunitCase, JunitSuites

PACKAGE = "fleetmfa.ssh.judge_files"


def junit_xml(folder: str, found: Sequence[ComparedUsers]) -> bytes:
    return _xml(folder, [_case(one) for one in found])


def junit_of_error(folder: str, message: str) -> bytes:
    """The files could not be judged."""
    return _xml(folder, [JunitCase("files", ERROR, message, "error")])


def _xml(folder: str, cases: Sequence[JunitCase]) -> bytes:
    suites = JunitSuites(PACKAGE, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()))
    suites.add(folder, cases)
    return suites.xml()


def _case(one: ComparedUsers) -> JunitCase:
    if one.ok:
        return JunitCase(one.judged.users)
    message = f"{one.judged.verdict}, wanted: {one.wish}"
    return JunitCase(one.judged.users, FAILURE, message, one.judged.verdict, "\n".join(details(one)))
