# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Keys of the key store for many users and hosts, with each store read once. Private to the collection."""

from __future__ import annotations

from typing import Any, Callable, Iterable, Mapping, Tuple

from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._login_probe.host_variables import HostVariables
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._ssh_totp.stored_key import keys_of_store
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._ssh_totp.token_key import TokenKey
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.ingest import person_of
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.store import Store
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.variables import STORE_VARIABLES

_Settings = Tuple[Tuple[str, Any], ...]


class StoredKeys:
    def __init__(self, open_store: Callable[[Mapping[str, Any]], Store]):
        """`open_store` is given the variables mfa_store…"""
        self._open_store = open_store
        self._found: dict[tuple[str, str], TokenKey | None] = {}

    def read(self, wanted: Iterable[tuple[HostVariables, str]]) -> None:
        """The keys of these accounts; a host without a key store has none."""
        settings_of: dict[str, dict[str, Any]] = {}
        by_store: dict[_Settings, list[tuple[HostVariables, str]]] = {}
        for host, user in wanted:
            if host.host not in settings_of:
                settings_of[host.host] = host.given(STORE_VARIABLES)
            settings = settings_of[host.host]
            if settings.get("mfa_store"):
                by_store.setdefault(tuple(sorted(settings.items())), []).append((host, user))
        for given, accounts in by_store.items():
            self._read_store(self._open_store(dict(given)), accounts)

    def key_of(self, host: HostVariables, user: str) -> TokenKey | None:
        return self._found.get((host.host, user))

    def _read_store(self, store: Store, accounts: list[tuple[HostVariables, str]]) -> None:
        aliases = store.head.aliases
        people = {(host.host, user): person_of(user, host.places, aliases) for host, user in accounts}
        keys = keys_of_store(store, set(people.values()))
        self._found.update({account: keys.get(person) for account, person in people.items()})
