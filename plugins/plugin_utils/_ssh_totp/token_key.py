# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The key that a token is computed from: given in a variable, or in the key store. Private to the collection."""

from __future__ import annotations

from typing import Any, Iterable, Mapping

from ansible.parsing.vault import VaultSecretsContext

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.otpauth import given_key
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.totp import (
    URI_ALGORITHM,
    URI_DIGITS,
    decode_secret,
    token_at,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._misplaced import NOT_SHOWN, looks_secret
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.ingest import person_of
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.settings import open_store
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.store import Store


class TokenKey:
    def __init__(self, secret: str, period: int, digits: int = URI_DIGITS, algorithm: str = URI_ALGORITHM):
        self._secret = decode_secret(secret)
        self.period = period
        self._digits, self._algorithm = digits, algorithm

    def __repr__(self) -> str:
        return "TokenKey()"  # the content is secret, even in a traceback

    def token(self, step: int) -> str:
        return token_at(self._secret, step, self._digits, self._algorithm)


def key_of_text(text: str, period: int, option: str) -> TokenKey:
    """A secret in base32, or an otpauth URI, which has its own period."""
    try:
        key = given_key(text)
        return TokenKey(key.secret, key.period or period)
    except FleetMfaError as error:
        raise FleetMfaError(f"{option}: {error}") from None


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
