# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What a claim in etcd costs a login, compared with a claim on the host alone: logins of both kinds in turns, through libpam.

The cluster of three members is on this machine and writes to its disk. A pair meets the same load, so the figure is the
median of the differences of pairs. Run it as root, on a quiet machine.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles
from typing import Callable

from commands import against

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / ".ansible/collections")]

from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.totp import step_at  # noqa: E402 (needs the path)
from ansible_collections.fleetmfa.ssh.tests.support.etcd_cluster import EtcdCluster  # noqa: E402 (needs the path)
from ansible_collections.fleetmfa.ssh.tests.support.fleet_claims import PYTHON, ClaimingHost  # noqa: E402

IMPORTS = "import base64, hmac, json, signal, socket, ssl"


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--pairs", type=int, default=100)
    pairs = options.parse_args().pairs
    with tempfile.TemporaryDirectory() as folder:
        cluster = EtcdCluster(Path(folder) / "etcd")
        try:
            cluster.start()
            measure(ClaimingHost(Path(folder) / "host", cluster), pairs)
        finally:
            cluster.stop()
    return 0


def measure(host: ClaimingHost, pairs: int) -> None:
    settings = host.folder / "claims.conf"
    text = settings.read_text()

    def prepared(in_fleet: bool) -> Callable[[], float]:
        """A login with a key of its own, whose preparation does not count."""

        def log_in_anew() -> float:
            settings.write_text(text) if in_fleet else settings.unlink(missing_ok=True)
            host.secret, host.step = os.urandom(20), step_at(time.time())
            host.write_key()
            return took(lambda: log_in(host))

        return log_in_anew

    more = in_pairs(prepared(True), prepared(False), pairs)
    print_row("a login with a claim in etcd, more than a local one", more)
    sys.stdout.write(f"{against(10, median(more) * 1000, 'ms')}\n")
    settings.write_text(text)
    program = [str(host.folder / "totp-claim"), str(settings), str(host.key_path)]
    numbers = iter(range(10**6))
    print_row("of that: the program", [took(lambda: run([*program, str(next(numbers))])) for _pair in range(pairs)])
    print_row(
        "of that: Python and what it imports", [took(lambda: run([PYTHON, "-IS", "-c", IMPORTS])) for _ in range(pairs)]
    )
    print_row("of that: Python alone", [took(lambda: run([PYTHON, "-IS", "-c", "pass"])) for _pair in range(pairs)])


def in_pairs(one: Callable[[], float], another: Callable[[], float], pairs: int) -> list[float]:
    """How much longer `one` takes; which of the two comes first changes from pair to pair."""
    differences = []
    for number in range(pairs):
        if number % 2:
            first = one()
            differences.append(first - another())
        else:
            first = another()
            differences.append(one() - first)
    return differences


def log_in(host: ClaimingHost) -> None:
    login = host.login()
    if not login.has_prompt():
        raise SystemExit("the login was not asked")
    login.answer(host.token())
    if not login.succeeds():
        raise SystemExit(f"the login failed: {host.logged()}")


def took(something: Callable[[], None]) -> float:
    started = time.monotonic()
    something()
    return time.monotonic() - started


def run(command: list[str]) -> None:
    subprocess.run(command, stdin=subprocess.DEVNULL, check=True)


def print_row(what: str, seconds: list[float]) -> None:
    tenths = quantiles(seconds, n=10)
    sys.stdout.write(
        f"{what} | {len(seconds)} times | median {tenths[4] * 1000:.1f} ms | p10 {tenths[0] * 1000:.1f} | "
        f"p90 {tenths[8] * 1000:.1f} | load {os.getloadavg()[0]:.1f}\n"
    )
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
