# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What it takes to open the key store and to change one person, with few people and with many, in both back ends.

Seconds mean little on a busy machine, so each is also given as a multiple of a fixed amount of work (hashing 100 MB)
done right before it, and with the processor time of the controller, which waiting for others does not add to.
"""

from __future__ import annotations

import argparse
import hashlib
import resource
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Callable, NamedTuple

from commands import against, say

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / ".ansible/collections"))

from ansible.parsing.vault import VaultSecret  # noqa: E402

from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.hashi_options import VaultLogin  # noqa: E402
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.hashi_vault import HashiVault  # noqa: E402
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.person import (  # noqa: E402
    DriftSeen,
    HistoryEvent,
    Person,
    Proven,
)
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.store import Store  # noqa: E402
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.vault_file import VaultFile  # noqa: E402
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.vault_text import VaultText  # noqa: E402
from ansible_collections.fleetmfa.ssh.tests.support import vault_server  # noqa: E402
from ansible_collections.fleetmfa.ssh.tests.support.people import START, key, person  # noqa: E402

_WORK = b"x" * 100_000_000


class Taken(NamedTuple):
    seconds: float
    processor: float
    ratio: float


def main() -> int:
    options = _options()
    for count in options.people:
        with tempfile.TemporaryDirectory() as folder:
            secrets = [("default", VaultSecret(b"a vault password"))]
            path = Path(folder) / "store.yml"
            measure("vault_file", lambda p=path, s=secrets: VaultFile(str(p), VaultText(s)), count, options.rounds)
            say(f"vault_file, {count} people", f"{path.stat().st_size / 1e6:.1f} MB")
    if vault_server.binary():
        with tempfile.TemporaryDirectory() as folder:
            server = vault_server.VaultServer(Path(folder))
            try:
                login = VaultLogin(server.url, token=server.root.token)
                for count in options.people:
                    measure("hashi_vault", lambda n=count: HashiVault(f"measure-{n}", login), count, options.rounds)
            finally:
                server.stop()
    say("memory at most", f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--people", type=int, nargs="*", default=[100, 10_000, 100_000])
    return parser.parse_args()


def measure(back_end: str, opened: Callable[[], Store], count: int, rounds: int) -> None:
    people = {one.user: one for one in map(_somebody, range(count))}
    first = timed(lambda: opened().merge_in(people))
    say(f"{back_end}, {count} people", "all written at once", *_columns([first]))
    one, thousand = [], []
    some = list(people)[:1000]
    for number in range(1, rounds + 1):
        one.append(timed(lambda n=number: _open_and_change(opened(), some[:1], n)))
        thousand.append(timed(lambda n=number: _open_and_change(opened(), some, n)))
    goal = back_end == "vault_file" and count == 100_000
    told = against(2, median(taken.seconds for taken in one), "s") if goal else ""
    say(f"{back_end}, {count} people", "open and change one", *_columns(one), told)
    say(f"{back_end}, {count} people", f"open and change {len(some)}", *_columns(thousand))


def _open_and_change(store: Store, users: list[str], number: int) -> None:
    assert len(store.read(users)) == len(users)  # noqa: S101
    # More than in any round before, whichever of the two kinds it was.
    changed = store.merge_in({user: Person(user, revoked_through=2 * number + (len(users) > 1)) for user in users})
    assert changed  # noqa: S101


def _somebody(number: int) -> Person:
    name = f"user{number}"
    return person(
        key(
            name,
            issuer="Example Fleet",
            account=name,
            codes=frozenset(str(10_000_000 + number * 5 + code) for code in range(5)),
            validated=Proven(START, "web1.example.com"),
            burnt={START // 30: frozenset(["web1.example.com"])},
            drift=DriftSeen(START, 0),
        ),
        user=name,
        history=frozenset([HistoryEvent(START, "web1.example.com", "validated")]),
    )


def timed(work: Callable[[], object]) -> Taken:
    began = time.monotonic()
    hashlib.sha256(_WORK).digest()
    reference = time.monotonic() - began
    began, processor = time.monotonic(), time.process_time()
    work()
    seconds = time.monotonic() - began
    return Taken(seconds, time.process_time() - processor, seconds / reference)


def _columns(taken: list[Taken]) -> list[str]:
    ratios = ", ".join(f"{one.ratio:.1f}" for one in sorted(taken, key=lambda one: one.ratio))
    return [
        f"{median(one.seconds for one in taken):.2f} s",
        f"{median(one.processor for one in taken):.2f} s of processor",
        f"{median(one.ratio for one in taken):.1f} times the reference ({ratios})",
    ]


if __name__ == "__main__":
    sys.exit(main())
