# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What the lab says to the person in front of it."""

from __future__ import annotations

import sys


class LabError(Exception):
    """A failure the user can act on: what is wrong, and the remedy."""


def say(message: str) -> None:
    # One write a line: builds and hosts report from threads of their own. stdout belongs to the guest of "exec".
    sys.stderr.write(f"lab: {message}\n")
    sys.stderr.flush()
