# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Whether logins on this host could make claims: asked before they depend on it. Private to the collection."""

from __future__ import annotations

import os
import stat
import time
from typing import TypedDict

from ansible_collections.fleetmfa.ssh.plugins.module_utils._claims.etcd import EtcdClaims
from ansible_collections.fleetmfa.ssh.plugins.module_utils._claims.https import NoAnswerError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._claims.settings import ClaimSettings
from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError

_FORGOTTEN_AFTER = 30  # seconds


class MemberReport(TypedDict):
    """A member, as module claim_store_info returns it."""

    endpoint: str
    problem: str  # empty if a claim was made
    milliseconds: int


def require_private(key: str) -> None:
    try:
        found = os.stat(key)
    except OSError as error:
        raise FleetMfaError(f"key: {key} cannot be read ({error.strerror}); put the private key there") from None
    if found.st_uid != 0 or stat.S_IMODE(found.st_mode) & 0o077:
        raise FleetMfaError(f"key: others than root can read {key}; make root its owner and set mode 0600")


def check_members(settings: ClaimSettings) -> list[MemberReport]:
    """Makes a claim through each member alone. A FleetMfaError if the files of this host cannot be used."""
    return [_check(settings, endpoint) for endpoint in settings.endpoints]


def _check(settings: ClaimSettings, endpoint: str) -> MemberReport:
    started, problem = time.monotonic(), ""
    nonce = os.urandom(16).hex()
    try:
        EtcdClaims(settings).claim_through([endpoint], f"check-{nonce}", {"nonce": nonce}, _FORGOTTEN_AFTER)
    except NoAnswerError as error:
        problem = str(error)
    return {"endpoint": endpoint, "problem": problem, "milliseconds": round((time.monotonic() - started) * 1000)}
