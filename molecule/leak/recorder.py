# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Loaded by every Python of the test: records each program it starts, so that none is too short-lived to be seen."""

from __future__ import annotations

import contextlib
import os
import sys

_STARTS = ("subprocess.Popen", "os.exec", "os.posix_spawn", "os.spawn", "os.system")
_NOTES = os.environ.get("LEAK_RECORDER", "/var/log/leak-recorder")


def _note(event: str, arguments: tuple) -> None:
    if event in _STARTS:
        with contextlib.suppress(OSError):
            descriptor = os.open(_NOTES, os.O_WRONLY | os.O_APPEND)
            os.write(descriptor, f"{arguments!r}\n".encode("utf-8", "replace"))
            os.close(descriptor)


sys.addaudithook(_note)
