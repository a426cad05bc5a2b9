# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The accounts that sshd lets in, as the subjects of a proof about PAM: what its lines can tell about them. Private."""

from __future__ import annotations

import functools
import grp
from typing import Iterable, Iterator, Protocol, Sequence

from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.account_check import asks_guard, records_tested
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.account_phase import account_ways
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.config import Line, PamConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.modules import TOKEN_MODULES, command_of
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.prover import auth_ways, has_so_suffix, token_line
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.remembered import groups_remembered
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.subject import Subject
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.match import Account
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.plan import ANY_USER

_BY_USER = (*TOKEN_MODULES, "pam_succeed_if.so", "pam_listfile.so", "pam_access.so")


class KeyPresence(Protocol):
    def of(self, account: Account, lines: Iterable[Line]) -> bool | None:
        """Whether the account has the keys that these token lines read, None if that is not known."""


class PamSubjects:
    """`keys` says who has a key; members of `group` are those who have to give a token."""

    def __init__(self, config: PamConfig, group: str, keys: KeyPresence):
        self._config, self._group, self._keys = config, group, keys
        self._lines = functools.lru_cache(maxsize=None)(self._lines_by_user)
        self._named = functools.lru_cache(maxsize=None)(self._groups_of_lines)
        self._members = functools.lru_cache(maxsize=None)(_members)

    def of(self, account: Account, service: str) -> Subject:
        if account.name == ANY_USER.name:  # who may be anybody
            mine = self._group in account.groups
            not_mine = frozenset() if mine else frozenset({self._group})
            return Subject(
                member_of=frozenset({self._group} if mine else ()), not_member_of=not_mine, has_key=mine or None
            )
        # A directory may not list the groups that PAM names; whether somebody is enforced has been decided before.
        named = self._named(service) - account.groups - {self._group}
        groups = account.groups | {group for group in named if account.name in self._members(group)}
        has_key = self._keys.of(account, filter(token_line(), self._lines(service)[0]))
        return Subject(account.name, account.uid, groups, None, has_key)

    def told_apart(self, accounts: Sequence[Account], services: set[str]) -> list[list[Account]]:
        """The accounts in classes that no line of these services distinguishes."""
        classes: dict[tuple[object, ...], list[Account]] = {}
        for account in accounts:
            key = tuple(self._key(account, service) for service in sorted(services))
            classes.setdefault(key, []).append(account)
        return list(classes.values())

    def _key(self, account: Account, service: str) -> tuple[object, ...]:
        auth, account_lines = self._lines(service)
        if not auth and not account_lines:
            return ()
        subject = self.of(account, service)
        ways = [auth_ways(line, subject, service, TOKEN_MODULES, has_so_suffix) for line in auth]
        ways += account_ways(account_lines, service, subject, with_token=False)
        return tuple(map(tuple, ways))

    def _groups_of_lines(self, service: str) -> frozenset[str]:
        auth, account_lines = self._lines(service)
        return frozenset(_groups_named((*auth, *account_lines)))

    def _lines_by_user(self, service: str) -> tuple[tuple[Line, ...], tuple[Line, ...]]:
        """The auth and account lines whose results depend on who logs in."""
        auth = filter(_depends_on_user, self._config.stack(service, "auth").lines)
        return tuple(auth), tuple(filter(_depends_on_user, self._config.stack(service, "account").lines))


def _depends_on_user(line: Line) -> bool:
    by_group = bool(groups_remembered(command_of(line.arguments))) and line.module_name == "pam_exec.so"
    return line.module_name in _BY_USER or by_group or bool(records_tested(line)) or asks_guard(line)


def _groups_named(lines: Iterable[Line]) -> Iterator[str]:
    for line in lines:
        for test, value in zip(line.arguments, line.arguments[1:]):
            if line.module_name == "pam_succeed_if.so" and test in ("ingroup", "notingroup"):
                yield from value.split(":")
        if line.module_name == "pam_exec.so":
            yield from groups_remembered(command_of(line.arguments))


def _members(group: str) -> frozenset[str]:
    try:
        return frozenset(grp.getgrnam(group).gr_mem)
    except KeyError:
        return frozenset()
