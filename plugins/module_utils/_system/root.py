# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Lets code that needs root report that first. Private to the collection."""

from __future__ import annotations

import os

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError


def require_root() -> None:
    """Without root a host cannot even be checked: files that cannot be read seem to be missing or open to others."""
    if os.geteuid() != 0:
        raise FleetMfaError(
            f"this needs root but runs as user id {os.geteuid()}; set become: true (nothing else was checked, and "
            "nothing was changed)"
        )
