# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The one error that users of this collection can act on. Private to the collection."""

from __future__ import annotations


class FleetMfaError(Exception):
    """Something the operator can mend; the message names the option, user or line and the remedy, never a secret.

    `changed` says whether the host, or what else the call is about, is not as it was before.
    """

    changed = False


class PartlyDoneError(FleetMfaError):
    """It failed after something was changed; the message says what was done and what was not."""

    changed = True
