# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Opens the key store that the variables mfa_store… name. Private to the collection."""

from __future__ import annotations

import functools
from typing import Any, Callable, Mapping

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.hashi_options import read_login
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.store import Store
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.variables import HASHI_PREFIX, STORE_VARIABLES
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.vault_file import VaultFile
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.vault_text import Secrets, VaultText

BACK_ENDS = ("vault_file", "hashi_vault")


def open_store(variables: Mapping[str, Any], secrets: Secrets) -> Store:
    """`variables` are those of STORE_VARIABLES that are set; `secrets` are the vault secrets of the run.

    A FleetMfaError names the variable that is wrong. A vault_file is read when something is asked of it.
    """
    return checked_store(variables, secrets)()


def checked_store(variables: Mapping[str, Any], secrets: Secrets) -> Callable[[], Store]:
    """Opens the store when called. Until then the variables were checked, and nothing was read and nobody asked."""
    given = {name: _text(name, variables[name]) for name in STORE_VARIABLES if variables.get(name) not in (None, "")}
    back_end = given.get("mfa_store", "")
    if back_end not in BACK_ENDS:
        problem = f"must be one of {', '.join(BACK_ENDS)}" if back_end else "is missing; set it to vault_file"
        raise FleetMfaError(f"mfa_store: {problem} (docs/key_store.md)")
    path = given.get("mfa_store_path", "")
    if not path:
        what = "the file that holds the keys" if back_end == "vault_file" else "the path of the keys in the KV engine"
        raise FleetMfaError(f"mfa_store_path: is missing; set it to {what}")
    if back_end == "vault_file":
        store = VaultFile(path, VaultText(secrets, given.get("mfa_store_vault_id")))
        return lambda: store
    from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.hashi_vault import (
        HashiVault,
    )  # its libraries load slowly

    login = read_login({name[len(HASHI_PREFIX) :]: value for name, value in given.items()}, HASHI_PREFIX)
    return functools.partial(HashiVault, path, login)


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str) or not value.isprintable():
        raise FleetMfaError(f"{name}: must be a text of one line")
    return value
