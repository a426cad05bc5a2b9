# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What the key store has to know of the keys of second devices on a host. Private to the collection."""

from __future__ import annotations

from typing import Iterable

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.collection import CollectedKey, collected
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.options import MfaHost
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.second_keys import SecondKeys, device_of


def collected_seconds(users: Iterable[str], host: MfaHost) -> tuple[list[CollectedKey], dict[str, str]]:
    """The keys of second devices of users whose first key was collected, and the users whose second one cannot be used, with
    the reason."""
    second = SecondKeys(host.state_dir)
    found: list[CollectedKey] = []
    unusable = {}
    for user in users if second.exist else ():
        try:
            key = second.validated(user)
            why = second.why_denied(user) if key else None
            if key is not None and why is None:
                found.append(collected(user, key, device_of(key) or ""))
        except FleetMfaError as error:
            why = str(error)
        if why:
            unusable[user] = f"second device: {why}"
    return found, unusable
