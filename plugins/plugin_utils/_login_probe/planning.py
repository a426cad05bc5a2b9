# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""From entries to probes: each entry for each of its hosts, with address, keys and secret. Private to the collection."""

from __future__ import annotations

from typing import Any, Callable, Iterator, Mapping, NamedTuple, Sequence

from ansible.plugins.connection.ssh import SSH_ASKPASS_DEFAULT_PROMPT

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.settings import RANGES, check_range
from ansible_collections.fleetmfa.ssh.plugins.module_utils._misplaced import looks_secret
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._login_probe.client_keys import key_of_file
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._login_probe.connection_options import (
    VARIABLES,
    connection_option,
)
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._login_probe.entries import Entry
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._login_probe.host_variables import HostVariables
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._login_probe.probe import Probe
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._login_probe.stored_keys import StoredKeys
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._parameters import whole_number
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._ssh_totp.prompts import PromptRules, token_pattern
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._ssh_totp.token_key import TokenKey, key_of_text


class _Host(NamedTuple):
    """What is the same for all users of a host."""

    variables: HostVariables
    address: str
    port: int
    rules: PromptRules
    period: int
    claims: str


class Planner:
    def __init__(
        self, variables_of: Callable[[str], HostVariables], all_hosts: Sequence[str], stored: StoredKeys | None
    ):
        """`all_hosts` are those of an entry that names none; without `stored` only secrets of entries are used."""
        self._variables_of, self._all_hosts, self._stored = variables_of, all_hosts, stored
        self._hosts: dict[str, _Host] = {}
        self._keys: dict[str, Any] = {}

    def probes(self, entries: Sequence[Entry]) -> list[Probe]:
        """All that can be wrong is found before the first login."""
        pairs = list(self._pairs(entries))
        if not pairs:
            raise FleetMfaError("probes: the play has no hosts, so nothing was compared; name some (hosts)")
        if self._stored:
            self._stored.read((host.variables, entry.user) for entry, host in pairs if entry.secret is None)
        return [self._probe(entry, host) for entry, host in pairs]

    def _pairs(self, entries: Sequence[Entry]) -> Iterator[tuple[Entry, _Host]]:
        for entry in entries:
            for number, name in enumerate(entry.hosts or self._all_hosts, 1):
                try:
                    if name not in self._hosts:
                        self._hosts[name] = _host(self._variables_of(name), number)
                    yield entry, self._hosts[name]
                except FleetMfaError as error:
                    raise FleetMfaError(f"{entry.place}: {error}") from None

    def _probe(self, entry: Entry, host: _Host) -> Probe:
        try:
            keys = (self._key(entry.key_file),) if entry.key_file else ()
            token_key = self._token_key(entry, host)
        except FleetMfaError as error:
            raise FleetMfaError(f"{entry.place}: {error}") from None
        return Probe(
            host=host.variables.host,
            name=entry.name,
            address=host.address,
            port=entry.port or host.port,
            user=entry.user,
            expected=entry.expect,
            rules=host.rules,
            keys=keys,
            agent=entry.agent,
            password=entry.password,
            token_key=token_key,
            claims=host.claims,
        )

    def _key(self, path: str) -> Any:
        if path not in self._keys:
            self._keys[path] = key_of_file(path)
        return self._keys[path]

    def _token_key(self, entry: Entry, host: _Host) -> TokenKey | None:
        if entry.secret is not None:
            return key_of_text(entry.secret, host.period, "secret")
        return self._stored.key_of(host.variables, entry.user) if self._stored else None


def _host(variables: HostVariables, number: int) -> _Host:
    if not variables.is_known and looks_secret(variables.host):
        raise FleetMfaError(
            f"hosts: number {number} looks like a secret (not shown), and the inventory has no such host"
        )
    given: Mapping[str, Any] = variables.given(VARIABLES)
    period = int(connection_option("totp_period", given))
    check_range("period", period, "ansible_totp_period (mfa_period)")
    rules = PromptRules(token_pattern(connection_option("totp_prompt", given)), SSH_ASKPASS_DEFAULT_PROMPT)
    claims = str(connection_option("totp_claims", given))
    return _Host(
        variables, str(variables.own("ansible_host") or variables.host), _port(variables), rules, period, claims
    )


def _port(variables: HostVariables) -> int:
    value = variables.own("ansible_port")
    port = RANGES["port"].default if value is None else whole_number(value, "ansible_port")
    check_range("port", port, "ansible_port")
    return port
