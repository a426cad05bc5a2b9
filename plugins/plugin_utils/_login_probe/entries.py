# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Reads the entries of option probes. No value is shown that may be a misplaced secret. Private to the collection."""

from __future__ import annotations

from typing import Any, Mapping, NamedTuple

from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.settings import check_choice, check_range
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.state_dir import check_user_name
from ansible_collections.fleetmfa.ssh.plugins.module_utils._misplaced import NOT_SHOWN, looks_secret
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._login_probe.row import EXPECTATIONS
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._parameters import whole_number

FIELDS = ("user", "expect", "hosts", "port", "key_file", "agent", "password", "secret")


class Entry(NamedTuple):
    """`place` is how messages call it, `name` what rows call the user; None stands for what was not given."""

    place: str
    user: str
    name: str
    expect: str
    hosts: list[str] | None
    port: int | None
    key_file: str | None
    agent: bool
    password: str | None
    secret: str | None

    def __repr__(self) -> str:
        return "Entry()"  # the content is secret, even in a traceback


def read_entries(given: Any) -> list[Entry]:
    if not isinstance(given, list):
        raise FleetMfaError("probes: must be a list of dictionaries with user and expect")
    if not given:
        raise FleetMfaError("probes: is empty, so nothing was compared; name at least one user")
    entries = []
    for number, one in enumerate(given, 1):
        place = f"probes, entry {number}"
        if isinstance(one, Mapping) and isinstance(one.get("user"), str) and not looks_secret(one["user"]):
            place += f" ({one['user'][:40]!r})"
        try:
            entries.append(_entry(place, one))
        except FleetMfaError as error:
            raise FleetMfaError(f"{place}: {error}") from None
    return entries


def _entry(place: str, given: Any) -> Entry:
    if not isinstance(given, Mapping) or set(given) - set(FIELDS):
        raise FleetMfaError(
            f"must be a dictionary with {', '.join(FIELDS)}; only user and expect are needed, nothing else is known"
        )
    user, expect = _text(given, "user"), _text(given, "expect")
    if user is None:
        raise FleetMfaError("user: is missing")
    check_user_name(user)
    check_choice("expect", expect or "", EXPECTATIONS)
    key_file, password = _text(given, "key_file"), _text(given, "password")
    agent = _boolean(given, "agent")
    return Entry(
        place=place,
        user=user,
        name=NOT_SHOWN if looks_secret(user) else user,
        expect=expect or "",
        hosts=_hosts(given.get("hosts")),
        port=_port(given.get("port")),
        key_file=key_file,
        agent=agent if agent is not None else key_file is None and password is None,
        password=password,
        secret=_text(given, "secret"),
    )


def _text(given: Mapping[str, Any], field: str) -> str | None:
    value = given.get(field)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise FleetMfaError(f"{field}: must be a text")
    return value


def _boolean(given: Mapping[str, Any], field: str) -> bool | None:
    if given.get(field) is None:
        return None
    try:
        return bool(boolean(given[field]))
    except TypeError:
        raise FleetMfaError(f"{field}: must be true or false") from None


def _hosts(given: Any) -> list[str] | None:
    if given is None:
        return None
    hosts = [given] if isinstance(given, str) else given
    if not isinstance(hosts, list) or not all(isinstance(host, str) for host in hosts):
        raise FleetMfaError("hosts: must be a list of names")
    if not hosts:
        raise FleetMfaError("hosts: is empty, so nothing would be compared")
    for number, host in enumerate(hosts, 1):
        if not host or not host.isprintable() or len(host) > 255 or set(host) & set(" @/,") or host.startswith("-"):
            raise FleetMfaError(f"hosts: number {number} is neither the name nor the address of a host")
    return hosts


def _port(given: Any) -> int | None:
    if given is None:
        return None
    port = whole_number(given, "port")
    check_range("port", port)
    return port
