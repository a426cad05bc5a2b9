# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Who runs Ansible, where, and with which version of this collection. Private to the collection."""

from __future__ import annotations

import contextlib
import getpass
import json
import socket
from pathlib import Path

import yaml


def controller_name() -> str:
    """USER@HOST, for messages that operators of several controllers read."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container that runs as a user id without a name
        user = "unknown"
    return f"{user}@{socket.gethostname()}"


def collection_version() -> str:
    """Of this collection, as installed or as a checkout."""
    root = Path(__file__).resolve().parents[2]
    with contextlib.suppress(OSError, ValueError, KeyError):
        return str(json.loads((root / "MANIFEST.json").read_text(encoding="utf-8"))["collection_info"]["version"])
    with contextlib.suppress(OSError, ValueError, KeyError, yaml.YAMLError):
        return str(yaml.safe_load((root / "galaxy.yml").read_text(encoding="utf-8"))["version"])
    return "unknown"
