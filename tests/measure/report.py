# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""How large the page of an audit is, and how long Chromium takes to load it, for a small fleet and a large one of generated evidence.

The browser is not measured where Chromium is not installed. Most of a load depends on the machine, so that of the small page is given too.
A fleet of 1,000 hosts and 1,000 users takes 2 GB.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from statistics import median
from typing import Callable, TypeVar

from commands import ROOT, say

sys.path.insert(0, str(ROOT / ".ansible/collections"))

from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.document import content  # noqa: E402
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.report_html import report_html  # noqa: E402
from ansible_collections.fleetmfa.ssh.tests.support.audited_fleet import document, fleet  # noqa: E402
from ansible_collections.fleetmfa.ssh.tests.support.browser import answer  # noqa: E402

_Made = TypeVar("_Made")
# Laid out, too: asking for a height waits for it.
_LOADED = """await new Promise(go => addEventListener("load", go)); document.body.offsetHeight
    return [performance.now(), document.getElementsByTagName("*").length]"""


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--hosts", type=int, nargs="*", default=[10, 1000])
    options.add_argument("--users", type=int, default=1000)
    given = options.parse_args()
    for hosts in given.hosts:
        measure(hosts, given.users, given.rounds)
    return 0


def measure(hosts: int, users: int, rounds: int) -> None:
    what = f"{hosts} hosts, {users} users"
    evidence = fleet(hosts, users)
    made, seconds = timed(lambda: document(evidence))
    say(f"evidence document, {what}", f"{len(content(made)) / 1e6:.1f} MB", f"{seconds:.1f} s of processor time")
    page, seconds = timed(lambda: report_html(made))
    say(f"report.html, {what}", f"{len(page) / 1e6:.2f} MB", f"{seconds:.1f} s of processor time")
    if not shutil.which("chromium"):
        say("Chromium is not installed: the page was not loaded")
        return
    loads = [answer(page, _LOADED) for _round in range(rounds)]
    times = sorted(load[0] / 1000 for load in loads)
    told = ", ".join(f"{one:.2f}" for one in times)
    say(f"report.html in Chromium, {what}", f"{loads[0][1]} elements", f"loaded in {median(times):.2f} s ({told})")


def timed(make: Callable[[], _Made]) -> tuple[_Made, float]:
    began = time.process_time()
    return make(), time.process_time() - began


if __name__ == "__main__":
    sys.exit(main())
