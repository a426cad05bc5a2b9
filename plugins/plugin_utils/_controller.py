# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Who runs Ansible, and where. Private to the collection."""

from __future__ import annotations

import getpass
import socket


def controller_name() -> str:
    """USER@HOST, for messages that operators of several controllers read."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container that runs as a user id without a name
        user = "unknown"
    return f"{user}@{socket.gethostname()}"
