# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Runs of Ansible, their time, and a table of it. Used by the measurements.

A row whose figure has a goal ends with it, and with whether it was met. On a busy machine a goal may be missed that is met on
a quiet one.
"""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {"ANSIBLE_PIPELINING": "true", "ANSIBLE_NOCOLOR": "true"}


class Done(NamedTuple):
    """`processor` is what it used itself: of the controller, but not of connections that go on after it."""

    seconds: float
    output: str
    processor: float

    @property
    def round_trips(self) -> int:
        return len(re.findall(r"^<[^>]+> (?:SSH: EXEC|PUT) ", self.output, re.MULTILINE))

    @property
    def tasks(self) -> str:
        """Of the first host."""
        ran = re.search(r"ok=(\d+) +changed=(\d+)", self.output)
        return f"{ran[1]} tasks, {ran[2]} changed" if ran else ""


def run(command: list[str]) -> Done:
    started, used = time.monotonic(), _used()
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, **ENVIRONMENT},
        check=False,
    )
    seconds = time.monotonic() - started
    if done.returncode:
        raise SystemExit(f"failed: {' '.join(command)}\n{done.stdout}{done.stderr}")
    return Done(seconds, done.stdout + done.stderr, _used() - used)


def _used() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def against(goal: float, figure: float, unit: str) -> str:
    return f"goal: at most {goal:g} {unit}, {'met' if figure <= goal else 'MISSED'}"


def compare(
    what: str, command: list[str], reference: list[str], rounds: int, goal: float | None = None, name: str = "pings"
) -> list[float]:
    """Reference and command in turn, so that both meet the same load. Returns how many seconds more the command took."""
    counted = run([*command, "-vvv"])
    pairs = [(run(reference).seconds, run(command).seconds) for _round in range(rounds)]
    ratios = sorted(seconds / other for other, seconds in pairs)
    say(
        what,
        counted.tasks,
        f"{counted.round_trips} SSH commands",
        f"{median(seconds for _other, seconds in pairs):.1f} s",
        f"{median(ratios):.2f} {name} ({', '.join(f'{ratio:.2f}' for ratio in ratios)})",
        "" if goal is None else against(goal, median(ratios), name),
    )
    return [seconds - other for other, seconds in pairs]


def compare_processor(what: str, command: list[str], reference: list[str], rounds: int, goal: float) -> None:
    pairs = [(run(reference).processor, run(command).processor) for _round in range(rounds)]
    ratio = median(used / other for other, used in pairs)
    say(
        what,
        f"{median(used for _other, used in pairs):.1f} s of the controller's processor",
        f"{ratio:.2f} times that of ping",
        against(goal, ratio, "times"),
    )


def say(*columns: str) -> None:
    sys.stdout.write(" | ".join(column for column in columns if column) + "\n")
    sys.stdout.flush()
