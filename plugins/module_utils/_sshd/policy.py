# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The policy of each class of users: sshd's answers for users that its Match lines can distinguish. Private."""

from __future__ import annotations

import tempfile
from pathlib import Path
from types import TracebackType
from typing import Iterator

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._findings import Finding, FindingsError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.binary import Sshd
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.config import MatchLine, SshdConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.match import (
    Account,
    Connection,
    admission_vector,
    connection_part_holds,
    never,
    representative_connections,
    resolve_groups,
    user_part_holds,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import SECURITY_KEY_GROUP


class PolicyReader:
    """Queries sshd about a configuration, staged in a folder that only root can read, once per distinct query."""

    def __init__(self, sshd: Sshd, config: SshdConfig):
        self.sshd = sshd
        self.config = config
        self._answers: dict[tuple[bool, ...], dict[str, list[str]]] = {}
        self._staged: dict[tuple[MatchLine, ...], dict[str, str]] = {}
        self._global: dict[str, list[str]] | None = None

    def __enter__(self) -> PolicyReader:
        self._folder = tempfile.TemporaryDirectory(prefix="fleetmfa-sshd-")
        self._plain = self.config.stage(self._subfolder("plain"))
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._folder.cleanup()

    def _subfolder(self, name: str) -> str:
        folder = Path(self._folder.name) / name
        folder.mkdir(mode=0o700)
        return str(folder)

    def complaint(self) -> str:
        """What `sshd -t` reports about it, with the names of the real files."""
        return _with_real_names(self.sshd.complaint(self._plain[self.config.path]), self._plain)

    def global_settings(self) -> dict[str, list[str]]:
        """What applies if no Match line does. Not queried with a bare -T, which fails if there is a Match LocalPort."""
        if self._global is None:
            main = self.config.stage(self._subfolder("global"), never)[self.config.path]
            self._global = self.sshd.effective(main, "nobody", Connection())
        return self._global

    def settings(self, account: Account, connection: Connection) -> dict[str, list[str]]:
        matches = self.config.matches
        for_user = tuple(user_part_holds(match, account) for match in matches)
        question = tuple(held and connection_part_holds(match, connection) for held, match in zip(for_user, matches))
        if question not in self._answers:
            copies = self._copies_for(account)
            try:
                self._answers[question] = self.sshd.effective(copies[self.config.path], account.name, connection)
            except FleetMfaError as error:
                # sshd -t evaluates no Match block: this error would only occur at a login of this user.
                said = f"for {account.name} {connection}: {_with_real_names(str(error), copies)}"
                raise FindingsError([Finding("sshd_config_invalid", (said,))]) from error
        return self._answers[question]

    def _copies_for(self, account: Account) -> dict[str, str]:
        resolve = resolve_groups(account)
        resolved = tuple(resolve(match) for match in self.config.matches)
        if resolved not in self._staged:
            self._staged[resolved] = self.config.stage(self._subfolder(str(len(self._staged))), resolve)
        return self._staged[resolved]

    def connections(self) -> list[Connection]:
        settings = self.global_settings()
        ports = [int(port) for port in settings.get("port", ["22"])]
        return representative_connections(
            [*self.config.matches, *_places_of_users(self.config)], ports, settings.get("usedns") == ["yes"]
        )


def _places_of_users(config: SshdConfig) -> Iterator[MatchLine]:
    """AllowUsers and DenyUsers also tell connections apart, as `alice@10.0.0.0/8`."""
    for directive in config.directives:
        if directive.keyword in ("allowusers", "denyusers"):
            for places in filter(None, (argument.partition("@")[2] for argument in directive.arguments)):
                for criterion in ("address", "host"):
                    yield MatchLine(directive.file, directive.line, ((criterion, places),))


def _with_real_names(text: str, copies: dict[str, str]) -> str:
    for real, copy in copies.items():
        text = text.replace(copy, real)
    return text


def user_classes(config: SshdConfig, accounts: list[Account], group: str) -> list[list[Account]]:
    """Accounts in classes that no Match, Allow or Deny line distinguishes; root, members of `group` and users of
    security keys are separate."""
    classes: dict[tuple[bool, ...], list[Account]] = {}
    admission = [d for d in config.directives if d.keyword in ("allowusers", "denyusers", "allowgroups", "denygroups")]
    for account in accounts:
        key = tuple(user_part_holds(match, account) for match in config.matches)
        key += admission_vector(admission, account)
        key += (account.uid == 0, group in account.groups, SECURITY_KEY_GROUP in account.groups)
        classes.setdefault(key, []).append(account)
    return list(classes.values())
