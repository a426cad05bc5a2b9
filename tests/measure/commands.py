# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Runs of Ansible, their time, and a table of it. Used by the measurements."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {"ANSIBLE_PIPELINING": "true", "ANSIBLE_NOCOLOR": "true"}


class Done(NamedTuple):
    seconds: float
    output: str

    @property
    def round_trips(self) -> int:
        return len(re.findall(r"^<[^>]+> (?:SSH: EXEC|PUT) ", self.output, re.MULTILINE))

    @property
    def tasks(self) -> str:
        """Of the first host."""
        ran = re.search(r"ok=(\d+) +changed=(\d+)", self.output)
        return f"{ran[1]} tasks, {ran[2]} changed" if ran else ""


def run(command: list[str]) -> Done:
    started = time.monotonic()
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
    return Done(seconds, done.stdout + done.stderr)


def compare(what: str, command: list[str], reference: list[str], rounds: int, name: str = "pings") -> None:
    """Reference and command in turn, so that both meet the same load."""
    counted = run([*command, "-vvv"])
    pairs = [(run(reference).seconds, run(command).seconds) for _round in range(rounds)]
    ratios = sorted(seconds / other for other, seconds in pairs)
    say(
        what,
        counted.tasks,
        f"{counted.round_trips} SSH commands",
        f"{median(seconds for _other, seconds in pairs):.1f} s",
        f"{median(ratios):.2f} {name} ({', '.join(f'{ratio:.2f}' for ratio in ratios)})",
    )


def say(*columns: str) -> None:
    sys.stdout.write(" | ".join(column for column in columns if column) + "\n")
    sys.stdout.flush()
