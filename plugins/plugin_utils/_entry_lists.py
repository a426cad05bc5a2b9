# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Reads the variables that are lists of entries: keys, keys to import, logins of an audit, exemptions. Private to the collection.

No message contains a value.
"""

from __future__ import annotations

from typing import Any, Callable, Mapping

import yaml

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.entry import STATES
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.exemptions import exemptions
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._login_probe.entries import read_entries
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._second_device import check_device

KEY_ENTRY = ("user", "state", "secret", "issuer", "account", "recovery_codes", "device")


def structure(text: str, kind: type) -> Any:
    """The value of `-e 'name=[a, b]'` and `-e 'name={a: 1}'`."""
    if text.lstrip()[:1] not in "[{" or not text.strip():
        return None
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        value = None
    if not isinstance(value, kind):
        raise FleetMfaError("cannot be read; write it to a YAML file and pass that with -e @FILE")
    return value


def read_import_keys(value: Any) -> list[dict[Any, Any]]:
    """Only its form: what is wrong with an entry is in the report of the import, and does not stop it."""
    if isinstance(value, str):
        value = structure(value, list)
    if not isinstance(value, list):
        raise FleetMfaError("must be a list of entries, each with secret; put it into a YAML file")
    for number, entry in enumerate(value, 1):
        if not isinstance(entry, dict):
            raise FleetMfaError(f"entry {number} is not a dictionary with secret")
    return value


def read_keys(value: Any) -> list[dict[Any, Any]]:
    if isinstance(value, str):
        value = structure(value, list)
    if not isinstance(value, list):
        raise FleetMfaError("must be a list of entries, each with user and secret; put it into a YAML file")
    for number, entry in enumerate(value, 1):
        if not isinstance(entry, dict):
            raise FleetMfaError(f"entry {number} is not a dictionary with user and secret")
        unknown = [key for key in entry if key not in KEY_ENTRY]
        if unknown or not isinstance(entry.get("user"), (str, int)) or isinstance(entry["user"], bool):
            what = "an unknown item" if unknown else "no user"
            raise FleetMfaError(f"entry {number} has {what}; an entry may have {', '.join(KEY_ENTRY)}")
        if entry.get("state") not in (None, *STATES):
            raise FleetMfaError(f"entry {number}: state: must be one of {', '.join(STATES)}")
        try:
            check_device(entry)
        except FleetMfaError as error:
            raise FleetMfaError(f"entry {number}: {error}") from None
    return value


def read_exemptions(elements: list[Any], name: Callable[[int, Any], str]) -> list[Any]:
    """Names as they are, entries in the form in which hosts read them; `name` checks a name at one place of the list."""
    given = [
        element if isinstance(element, Mapping) else name(number, element) for number, element in enumerate(elements, 1)
    ]
    read: list[Any] = []
    for number, (element, one) in enumerate(zip(given, exemptions("user", given)), 1):
        if isinstance(element, Mapping):
            entry = {**one.items, "name": name(number, one.name)}
            read.append({item: value for item, value in entry.items() if value is not None})
        else:
            read.append(element)
    return read


def read_logins(value: Any) -> list[dict[Any, Any]]:
    """No login is wanted if it is empty; the entries are those of ssh_login_probe."""
    if isinstance(value, str):
        raise FleetMfaError("must be a list of entries, each with user and expect; put it into a YAML file")
    if value != []:
        read_entries(value)
    logins: list[dict[Any, Any]] = value
    return logins
