# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The audit trail of enrollment: one line per step in the system log, facility authpriv. Private to the collection."""

from __future__ import annotations

import syslog


def audit(user: str, event: str) -> None:
    """`event` is our own text and never contains a secret, token or code."""
    syslog.openlog("mfa-enroll", syslog.LOG_PID, syslog.LOG_AUTHPRIV)
    syslog.syslog(syslog.LOG_NOTICE, f"user {user}: {event}")
