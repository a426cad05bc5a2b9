# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Who is judged if there is no host to ask: one account for each class of users that the files tell apart. Private to the collection.

sshd's lines (Match, Allow, Deny) are about users and groups that it can be told, so each combination of those gets an account. What
PAM's lines test is left open, as far as it can be: a proof then covers both answers.
"""

from __future__ import annotations

import functools
import itertools
from typing import Iterable, Iterator, NamedTuple

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.subject import Subject
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.config import SshdConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.match import Account, list_matches, pattern_matches
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.plan import ANY_USER

ENFORCED, EXEMPT, OTHER = "enforced", "exempt", "other"
_ROOT = "root"
# Far more than any configuration of people has; each costs some calls of sshd.
_MOST = 2000


class FleetGroups(NamedTuple):
    """Whom the fleet's settings make what: the enforced group, and who is exempt."""

    group: str
    exempt_users: frozenset[str]
    exempt_groups: frozenset[str]


class Representative(NamedTuple):
    """An account that stands for all users like it; `who` says which these are."""

    kind: str  # ENFORCED, EXEMPT or OTHER
    who: str
    account: Account
    subject: Subject


class _Name(NamedTuple):
    """A user or group, and those that sshd's lines do not tell apart from it. A pattern is filled with some name that matches."""

    name: str
    alike: tuple[str, ...]

    @property
    def is_certain(self) -> bool:
        return len(self.alike) == 1 and self.alike[0] == self.name

    @property
    def words(self) -> str:
        return " or ".join(self.alike[:3]) + (" or others" if len(self.alike) > 3 else "")


def representatives(config: SshdConfig, fleet: FleetGroups) -> list[Representative]:
    """The simplest first: any user, then those whom one line names, then combinations."""
    return [*_of_kind(ENFORCED, config, fleet), *_of_kind(OTHER, config, fleet), *_exempt(fleet)]


def _of_kind(kind: str, config: SshdConfig, fleet: FleetGroups) -> Iterator[Representative]:
    """Users who are not exempt. Root is always one of them, since sshd has a rule of its own for root."""
    users = [name for name in _told_apart(_users(config), fleet.exempt_users, _user_key(config)) if name.name != _ROOT]
    if _ROOT not in fleet.exempt_users:
        users.insert(0, _Name(_ROOT, (_ROOT,)))
    groups = _told_apart(_groups(config), fleet.exempt_groups | {fleet.group}, _group_key(config))
    if (len(users) + 1) * 2 ** len(groups) > _MOST:
        raise FleetMfaError(
            f"{config.path}: its Match, Allow and Deny lines tell {len(groups)} groups and {len(users)} users apart, too many to judge "
            "every combination; judge a host instead (sshd_policy_info)"
        )
    for size in range(len(groups) + 1):
        for chosen in itertools.combinations(groups, size):
            for user in (None, *users):
                yield _representative(kind, fleet, user, chosen, groups)


def _representative(
    kind: str, fleet: FleetGroups, user: _Name | None, chosen: tuple[_Name, ...], groups: list[_Name]
) -> Representative:
    enforced = kind == ENFORCED
    own = {fleet.group} if enforced else set()
    account = _account(user.name if user else ANY_USER.name, own | {group.name for group in chosen})
    certain = {group.name for group in groups if group.is_certain}
    named = {group.name for group in chosen}
    subject = Subject(
        user=user.name if user and user.is_certain else None,
        member_of=frozenset(own | (named & certain)),
        not_member_of=fleet.exempt_groups | (certain - named) | ({fleet.group} - own),
        has_key=True if enforced else None,
        not_user=fleet.exempt_users,
    )
    whose = "enforced users" if enforced else "other users"
    who = f"{user.words} ({'enforced' if enforced else 'not enforced'})" if user else whose
    where = f" in {' and '.join(group.words for group in chosen)}" if chosen else ""
    return Representative(kind, who + where, account, subject)


def _exempt(fleet: FleetGroups) -> Iterator[Representative]:
    for user in sorted(fleet.exempt_users):
        subject = Subject(user=user, not_member_of=frozenset({fleet.group}))
        yield Representative(EXEMPT, f"{user} (exempt)", _account(user, set()), subject)
    for group in sorted(fleet.exempt_groups):
        subject = Subject(member_of=frozenset({group}), not_member_of=frozenset({fleet.group}))
        yield Representative(EXEMPT, f"users in {group} (exempt)", _account(ANY_USER.name, {group}), subject)


def _account(name: str, groups: set[str]) -> Account:
    return Account(name, 0 if name == _ROOT else ANY_USER.uid, frozenset({name, *groups}))


def _told_apart(
    patterns: Iterable[str], without: frozenset[str], key_of: functools.partial[tuple[object, ...]]
) -> list[_Name]:
    """One name of each kind that the lines tell from a name which they do not mention."""
    alike: dict[tuple[object, ...], dict[str, str]] = {}
    for pattern in patterns:
        name = pattern.replace("*", "x").replace("?", "x")
        if name not in without:
            alike.setdefault(key_of(name), {})[pattern] = name
    alike.pop(key_of(ANY_USER.name), None)
    return [_Name(next(iter(found.values())), tuple(found)) for found in alike.values()]


def _users(config: SshdConfig) -> list[str]:
    return _elements(_lists_of(config, "user"), (name.partition("@")[0] for _line, name in _admission(config, "users")))


def _groups(config: SshdConfig) -> list[str]:
    return _elements(_lists_of(config, "group"), (name for _line, name in _admission(config, "groups")))


def _elements(lists: Iterable[str], names: Iterable[str]) -> list[str]:
    found = [element.lstrip("!") for patterns in lists for element in patterns.split(",")]
    return list(dict.fromkeys(filter(None, [*found, *(name.lstrip("!") for name in names)])))


def _lists_of(config: SshdConfig, criterion: str) -> list[str]:
    return [pattern for match in config.matches for name, pattern in match.criteria if name == criterion]


def _admission(config: SshdConfig, what: str) -> list[tuple[str, str]]:
    """The place and each name of the lines AllowUsers and DenyUsers, or AllowGroups and DenyGroups."""
    lines = [one for one in config.directives if one.keyword in (f"allow{what}", f"deny{what}")]
    return [(f"{one.file}:{one.line}", name) for one in lines for name in one.arguments]


def _user_key(config: SshdConfig) -> functools.partial[tuple[object, ...]]:
    named = [(place, *name.partition("@")[::2]) for place, name in _admission(config, "users")]
    return functools.partial(_key, _lists_of(config, "user"), named)


def _group_key(config: SshdConfig) -> functools.partial[tuple[object, ...]]:
    named = [(place, name, "") for place, name in _admission(config, "groups")]
    return functools.partial(_key, _lists_of(config, "group"), named)


def _key(lists: list[str], named: list[tuple[str, str, str]], name: str) -> tuple[object, ...]:
    """What the lines say of a name: the result of each Match list, and the lines that let in or deny it, with the places of origin."""
    results = tuple(list_matches(patterns, functools.partial(pattern_matches, name)) for patterns in lists)
    return (*results, frozenset((place, origin) for place, pattern, origin in named if pattern_matches(name, pattern)))
