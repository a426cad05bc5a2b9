# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The program that a login waits for."""

from __future__ import annotations

import subprocess
import sys

from ansible_collections.fleetmfa.ssh.plugins.module_utils._program import build_program

SLOW = {"configparser", "http.client", "inspect", "pathlib", "traceback", "typing"}


def test_it_loads_nothing_that_takes_milliseconds_and_is_not_needed(tmp_path):
    program = tmp_path / "totp-claim"
    program.write_bytes(build_program("_claims.program"))
    command = [sys.executable, "-IS", "-X", "importtime", str(program)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert {"ssl", "json"} <= loaded and "usage: totp-claim" in done.stderr
    assert not loaded & SLOW
