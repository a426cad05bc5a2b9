# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Which PAM service sshd sends a user to, with and without our policy. Private to the collection."""

from __future__ import annotations

import os
from typing import Iterable

from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.match import Account, Connection
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.policy import PolicyReader

_KEYWORD = "pamservicename"
DEFAULT_SERVICE = "sshd"


def service_of(settings: dict[str, list[str]]) -> str:
    """The name that libpam uses for the file: without a folder, in lower case."""
    return os.path.basename(settings.get(_KEYWORD, [DEFAULT_SERVICE])[0]).lower()


class BaseServices:
    """The services in a configuration without our policy: the host's own settings, per user and connection."""

    def __init__(self, bare: PolicyReader):
        self.bare = bare
        self._below_match = [
            directive for directive in bare.config.directives if directive.keyword == _KEYWORD and directive.matches
        ]

    def of(self, account: Account, connection: Connection) -> str:
        if not self._below_match:
            return service_of(self.bare.global_settings())
        return service_of(self.bare.settings(account, connection))

    def all(self, accounts: Iterable[Account]) -> list[str]:
        """The services of these accounts, and those below Match lines that may apply to accounts created in the
        future."""
        named = {service_of({_KEYWORD: list(line.arguments)}) for line in self._below_match if line.arguments}
        connections = self.bare.connections() if self._below_match else [Connection()]
        return sorted(named | {self.of(account, connection) for account in accounts for connection in connections})
