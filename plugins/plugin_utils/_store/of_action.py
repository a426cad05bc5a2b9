# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The key store as an action opens it: by the variables of its host, with the vault secrets of the run. Private."""

from __future__ import annotations

from typing import Any, Iterable

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._misplaced import misplaced, refusal
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.ingest import person_of
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.settings import open_store
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.store import Aliases, Store
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.variables import STORE_VARIABLES


def store_of(action: ActionBase, variables: dict[str, Any]) -> Store:
    """Not from options of the task: callbacks are told those, and some of the variables are secret."""
    given = {name: _value(action, name, variables[name]) for name in STORE_VARIABLES if name in variables}
    vault = getattr(action._loader, "_vault", None)
    return open_store(given, list(getattr(vault, "secrets", None) or []))


def refuse_misplaced(arguments: dict[str, Any]) -> None:
    """Before anything is done; the module would refuse them, too, but the store is asked first."""
    places = list(misplaced(arguments))
    if places:
        raise FleetMfaError(f"nothing was changed: {refusal(places)}")


def names_of(accounts: Iterable[str], variables: dict[str, Any], aliases: Aliases) -> dict[str, str]:
    """The names in the store, by account of this host: aliases are those of the host, then those of its groups."""
    places = [str(variables["inventory_hostname"]), *map(str, variables.get("group_names", []))]
    return {account: person_of(account, places, aliases) for account in accounts}


def accounts_of(people: object, variables: dict[str, Any], aliases: Aliases) -> list[str]:
    """The other way round: what accounts of these people may be called on this host."""
    if not isinstance(people, list) or not all(isinstance(name, str) for name in people):
        raise FleetMfaError("people: must be a list of names")
    candidates = {*people, *(account for accounts in aliases.values() for account in accounts)}
    return sorted(account for account, name in names_of(candidates, variables, aliases).items() if name in people)


def _value(action: ActionBase, name: str, value: Any) -> Any:
    try:
        return action._templar.template(value)
    except AnsibleError as error:
        # The original message may quote the template, and so the text next to a secret.
        raise FleetMfaError(f"{name}: cannot be computed ({type(error).__name__})") from None
