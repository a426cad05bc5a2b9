# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Messages of the lab to its user."""

from __future__ import annotations

import sys


class LabError(Exception):
    """A failure that the user can act on: what is wrong, and the remedy."""


def say(message: str) -> None:
    # One write per line, since builds and hosts report from separate threads. stdout is for the command of "exec".
    sys.stderr.write(f"lab: {message}\n")
    sys.stderr.flush()
