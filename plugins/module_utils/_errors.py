# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The error that users of this collection can act on. Private to the collection."""

from __future__ import annotations


class FleetMfaError(Exception):
    """Something the operator can fix; the message names the option, user or line and the remedy, never a secret.

    `changed` says whether the call has changed anything on the host (or in its other target).
    """

    changed = False


class PartlyDoneError(FleetMfaError):
    """A failure after something was changed; the message says what was done and what was not."""

    changed = True
