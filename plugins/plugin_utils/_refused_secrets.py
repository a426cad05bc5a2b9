# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Refuses a secret in the wrong place, before anything is done. Private to the collection."""

from __future__ import annotations

from typing import Any

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._misplaced import misplaced, refusal


def refuse_secrets(given: Any, said: str = "") -> None:
    """Raises FleetMfaError if a secret stands where none belongs; the message begins with `said`."""
    places = list(misplaced(given))
    if places:
        raise FleetMfaError(f"{said}{refusal(places)}")
