# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What the three actions of a sync pass on to each other, sealed (`_run_seal.py`). Private to the collection."""

from __future__ import annotations

from typing import Any, TypedDict

from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.store_entry import StoredPerson
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.given_keys import OperatorKey


class Collected(TypedDict):
    """Of one host, from totp_key_collect to totp_key_merge."""

    host: str
    places: list[str]  # the host and its groups, where aliases are looked for
    settings: dict[str, Any]  # STORE_VARIABLES that are set for the host
    accounts: list[str]
    keys: list[dict[str, Any]]  # each a CollectedKey, as far as the host can be trusted
    clock_is_off: bool
    given: list[OperatorKey]  # mfa_keys of the host, if role mfa is about to apply it


class Handout(TypedDict, total=False):
    """For one host, from totp_key_merge to totp_key_distribute: `refused`, or the other two."""

    host: str
    refused: str
    store: str
    people: list[StoredPerson]
