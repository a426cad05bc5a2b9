# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The key store as an action opens it: by the variables of its host, with the vault secrets of the run. Private."""

from __future__ import annotations

from typing import Any, Iterable, Mapping

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._refused_secrets import refuse_secrets
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.ingest import person_of
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.settings import checked_store, open_store
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.store import Aliases, Store
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.variables import STORE_VARIABLES


def store_of(action: ActionBase, variables: Mapping[str, Any]) -> Store:
    return open_store(settings_of(action, variables), _secrets(action))


def settings_of(action: ActionBase, variables: Mapping[str, Any]) -> dict[str, Any]:
    """What names the store. Not from options of the task: callbacks are told those, and some of the variables are secret."""
    return {name: value_of(action, name, variables[name]) for name in STORE_VARIABLES if name in variables}


def check_settings(action: ActionBase, settings: Mapping[str, Any]) -> None:
    """A FleetMfaError names the variable that is wrong. The store itself is left alone."""
    checked_store(settings, _secrets(action))


def refuse_misplaced(arguments: dict[str, Any]) -> None:
    """Before anything is done; the module would refuse them, too, but the store is asked first."""
    refuse_secrets(arguments, "nothing was changed: ")


def places_of(variables: Mapping[str, Any]) -> list[str]:
    """Where aliases are looked for: those of the host, then those of its groups."""
    return [str(variables["inventory_hostname"]), *map(str, variables.get("group_names", []))]


def names_of(accounts: Iterable[str], places: list[str], aliases: Aliases) -> dict[str, str]:
    """The names in the store, by account of a host."""
    return {account: person_of(account, places, aliases) for account in accounts}


def accounts_of(people: object, places: list[str], aliases: Aliases) -> list[str]:
    """The other way round: what accounts of these people may be called on this host."""
    if not isinstance(people, list) or not all(isinstance(name, str) for name in people):
        raise FleetMfaError("people: must be a list of names")
    candidates = {*people, *(account for accounts in aliases.values() for account in accounts)}
    return sorted(account for account, name in names_of(candidates, places, aliases).items() if name in people)


def _secrets(action: ActionBase) -> list[Any]:
    vault = getattr(action._loader, "_vault", None)
    return list(getattr(vault, "secrets", None) or [])


def value_of(action: ActionBase, name: str, value: Any) -> Any:
    try:
        return action._templar.template(value)
    except AnsibleError as error:
        # The original message may quote the template, and so the text next to a secret.
        raise FleetMfaError(f"{name}: cannot be computed ({type(error).__name__})") from None
