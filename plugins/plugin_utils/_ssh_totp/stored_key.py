# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The key that a token is computed from, in the key store. Private to the collection."""

from __future__ import annotations

from typing import Any, Iterable, Mapping

from ansible.parsing.vault import VaultSecretsContext

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._misplaced import NOT_SHOWN, looks_secret
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._ssh_totp.token_key import TokenKey
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.ingest import person_of
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.settings import open_store
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.store import Store


def key_of_store(variables: Mapping[str, Any], account: str, places: list[str]) -> TokenKey:
    """The validated key of the person who has this account; `places` are the host and its groups."""
    context = VaultSecretsContext.current(optional=True)
    store = open_store(variables, list(context.secrets) if context else [])
    person = person_of(account, places, store.head.aliases)
    key = keys_of_store(store, [person]).get(person)
    if key is None:
        name = NOT_SHOWN if looks_secret(person) else person
        raise FleetMfaError(
            f"the key store has no validated key of {name}; set ansible_totp_secret, or validate a key and run the playbook "
            "fleetmfa.ssh.sync"
        )
    return key


def keys_of_store(store: Store, people: Iterable[str]) -> dict[str, TokenKey]:
    """The validated keys; a person who has none is left out."""
    found = {name: record.current.validated for name, record in store.read(people).items()}
    return {name: TokenKey(key.secret, key.period) for name, key in found.items() if key}
