# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Many probes at once. Private to the collection."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, wait
from typing import Callable, Sequence

from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._login_probe.probe import Probe
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._login_probe.row import ProbeRow

PROGRESS_SECONDS = 10.0


def run_probes(
    probes: Sequence[Probe],
    row_of: Callable[[Probe], ProbeRow],
    parallel: int,
    say: Callable[[str], None],
    every: float = PROGRESS_SECONDS,
) -> list[ProbeRow]:
    """The rows, in the order of the probes; `say` is told how far they are."""
    with ThreadPoolExecutor(min(parallel, len(probes))) as pool:
        futures = [pool.submit(row_of, probe) for probe in probes]
        try:
            while wait(futures, timeout=every).not_done:
                done = [future.result() for future in futures if future.done()]
                differ = sum(not row.ok for row in done)
                say(f"{len(done)} of {len(futures)} probes done, {differ} not as expected")
        except BaseException:  # a time limit of the task, or Ctrl-C
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        return [future.result() for future in futures]
