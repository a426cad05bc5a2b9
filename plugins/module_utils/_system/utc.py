# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Times as they are written everywhere: ISO 8601, UTC, whole seconds. Private to the collection."""

from __future__ import annotations

import datetime


def utc_text(seconds: float) -> str:
    """Seconds since the epoch as 2026-01-31T09:00:00Z."""
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
