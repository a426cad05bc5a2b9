# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Where the lab keeps its files, and how several labs are kept apart."""

from __future__ import annotations

import fcntl
import hashlib
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

ROOT = Path(__file__).resolve().parents[1]
LAB = ROOT / ".lab"
# Distinguishes the containers of one checkout from those of another.
CHECKOUT = hashlib.sha256(str(ROOT).encode()).hexdigest()[:6]
CACHE = ROOT / ".cache" / "lab"
SCRIPTS = Path(__file__).parent / "scripts"


@contextmanager
def locked(name: str) -> Iterator[None]:
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{name}.lock").open("w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def script(name: str) -> str:
    return (SCRIPTS / name).read_text(encoding="utf-8")


def write(path: Path, text: str) -> None:
    """Atomically, since Ansible may be reading the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
