# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What role mfa writes for PAM to run at logins; a host cannot know it by itself. Private to the collection."""

from __future__ import annotations

import hashlib
from pathlib import Path

# As in roles/mfa/vars/main/main.yml (mfa__shebang, mfa__pam_programs).
FOLDER, FIRST_LINE = "/usr/local/libexec/fleetmfa", b"#!/bin/sh -p\n"
_SOURCES = Path(__file__).parents[3] / "roles/mfa/files"


def pam_programs() -> dict[str, str]:
    """SHA-256 by path."""
    sources = sorted(Path(f"{_SOURCES}{FOLDER}").iterdir())
    return {f"{FOLDER}/{one.name}": hashlib.sha256(FIRST_LINE + one.read_bytes()).hexdigest() for one in sources}
