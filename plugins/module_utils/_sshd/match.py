# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Evaluates which Match lines apply to a user and connection, as sshd does. Private to the collection.

sshd's own answer is what counts (sshd -T -C). This only finds out which queries can have different answers, so that a
host with ten thousand users needs only a few of them.
"""

from __future__ import annotations

import functools
import ipaddress
import itertools
import re
from typing import Callable, Iterable, NamedTuple, Pattern

from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.config import Directive, MatchLine, SshdConfig

# Documentation addresses (RFC 5737, 3849): no policy uses them, so they represent all other addresses.
_ELSEWHERE = ("203.0.113.7", "198.51.100.7", "192.0.2.7", "2001:db8::7")
_NOBODY = "!*"
_UNKNOWN_HOST = "elsewhere.invalid"
_MOST_CONNECTIONS = 200
_CONNECTION_CRITERIA = {"host", "address", "localaddress", "localport"}


class Account(NamedTuple):
    name: str
    uid: int
    groups: frozenset[str]

    def joined(self, group: str) -> Account:
        return self._replace(groups=self.groups | {group})

    def left(self, group: str) -> Account:
        return self._replace(groups=self.groups - {group})


class Connection(NamedTuple):
    """Where a login comes from, and which address and port it reaches."""

    address: str = _ELSEWHERE[0]
    host: str = _ELSEWHERE[0]
    local_address: str = _ELSEWHERE[1]
    local_port: int = 22

    def specification(self, user: str) -> str:
        """The value of sshd's option -C; sshd requires everything that a Match line may test."""
        where = f"host={self.host},addr={self.address},laddr={self.local_address},lport={self.local_port}"
        return f"user={user},{where},rdomain="

    def __str__(self) -> str:
        return (
            f"from {self.address}"
            + (f" ({self.host})" if self.host != self.address else "")
            + f" to port {self.local_port}"
        )


@functools.lru_cache(maxsize=None)
def _compiled(pattern: str) -> Pattern[str]:
    return re.compile("".join({"*": ".*", "?": "."}.get(sign, re.escape(sign)) for sign in pattern), re.DOTALL)


def pattern_matches(text: str, pattern: str) -> bool:
    """sshd supports * and ?, but no brackets."""
    return _compiled(pattern).fullmatch(text) is not None


def list_matches(patterns: str, holds: Callable[[str], bool]) -> int:
    """1 if one of the patterns matches, -1 if a negated one does (which ends the search), otherwise 0."""
    found = 0
    for pattern in patterns.split(","):
        if pattern.startswith("!"):
            if holds(pattern[1:]):
                return -1
        elif holds(pattern):
            found = 1
    return found


def _address_matches(address: str, pattern: str) -> bool:
    try:
        network = ipaddress.ip_network(pattern, strict=False)
        return ipaddress.ip_address(address) in network
    except ValueError:
        return pattern_matches(address.lower(), pattern.lower())


def address_in(address: str, patterns: str) -> bool:
    """Like addr_match_list() in sshd: addresses, networks and wildcards, separated by commas."""
    return list_matches(patterns, functools.partial(_address_matches, address)) == 1


def in_group_list(groups: Iterable[str], patterns: str) -> bool:
    """Like ga_match_pattern_list() in sshd: a negated pattern that matches any group decides."""
    results = [list_matches(patterns, functools.partial(pattern_matches, group)) for group in groups]
    return -1 not in results and 1 in results


def user_part_holds(match: MatchLine, account: Account) -> bool:
    return all(_user_criterion(name, pattern, account) for name, pattern in match.criteria)


def _user_criterion(name: str, pattern: str, account: Account) -> bool:
    if name == "user":
        return list_matches(pattern, functools.partial(pattern_matches, account.name)) == 1
    if name == "group":
        return in_group_list(account.groups, pattern)
    return name != "invalid-user"  # the user exists; criteria that are not about users are not evaluated here


def connection_part_holds(match: MatchLine, connection: Connection) -> bool:
    return all(
        _connection_criterion(name, pattern, connection)
        for name, pattern in match.criteria
        if name in _CONNECTION_CRITERIA
    )


def _connection_criterion(name: str, pattern: str, connection: Connection) -> bool:
    if name == "localport":
        return pattern == str(connection.local_port)
    if name == "host":
        return list_matches(pattern.lower(), functools.partial(pattern_matches, connection.host.lower())) == 1
    return address_in(connection.address if name == "address" else connection.local_address, pattern)


def applies(directive: Directive, account: Account, connection: Connection) -> bool:
    return all(
        user_part_holds(match, account) and connection_part_holds(match, connection) for match in directive.matches
    )


def setter(config: SshdConfig, keyword: str, account: Account, connection: Connection) -> Directive | None:
    """The line that decides: the first below a Match that applies, otherwise the first global one."""
    candidates = [directive for directive in config.directives if directive.keyword == keyword]
    below = [directive for directive in candidates if directive.matches and applies(directive, account, connection)]
    return next(iter(below), next((directive for directive in candidates if not directive.matches), None))


def resolve_groups(account: Account) -> Callable[[MatchLine], MatchLine]:
    """Replaces each Group criterion by its result for this account.

    sshd -C takes a user and looks up the groups by itself, so there is no other way to query the settings of a group
    that has no members yet.
    """

    def resolve(match: MatchLine) -> MatchLine:
        criteria = [
            ("user", "*" if in_group_list(account.groups, pattern) else _NOBODY) if name == "group" else (name, pattern)
            for name, pattern in match.criteria
        ]
        return match._replace(criteria=tuple(criteria))

    return resolve


def never(match: MatchLine) -> MatchLine:
    return match._replace(criteria=(("user", _NOBODY),))


def representative_connections(matches: list[MatchLine], ports: list[int], use_dns: bool) -> list[Connection]:
    """One connection for each possible combination of Match lines."""
    patterns = {name: [p for match in matches for n, p in match.criteria if n == name] for name in _CONNECTION_CRITERIA}
    addresses = [*_ELSEWHERE[:1], *_address_candidates(patterns["address"] + patterns["host"])]
    local_addresses = [*_ELSEWHERE[1:2], *_address_candidates(patterns["localaddress"])]
    hosts = [_UNKNOWN_HOST, *(_filled(p) for p in _elements(patterns["host"]))] if use_dns else [None]
    found: dict[tuple[bool, ...], Connection] = {}
    axes = itertools.product(addresses, hosts, local_addresses, ports)
    for address, host, local_address, port in itertools.islice(axes, _MOST_CONNECTIONS):
        connection = Connection(address, host or address, local_address, port)
        found.setdefault(tuple(connection_part_holds(match, connection) for match in matches), connection)
    return list(found.values())


def _elements(pattern_lists: Iterable[str]) -> list[str]:
    return [element.lstrip("!") for patterns in pattern_lists for element in patterns.split(",") if element.lstrip("!")]


def _address_candidates(pattern_lists: Iterable[str]) -> list[str]:
    """The first and the last address of each network, so that nested networks are distinguished."""
    candidates = []
    for element in _elements(pattern_lists):
        try:
            network = ipaddress.ip_network(element, strict=False)
            candidates += [str(network[0]), str(network[-1])]
        except ValueError:
            candidates += filter(_is_address, (_filled(element, star) for star in ("1", "1.1", "1.1.1", ":1")))
    return list(dict.fromkeys(candidates))


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _filled(pattern: str, star: str = "1") -> str:
    return pattern.replace("*", star).replace("?", "1")


def admission_vector(directives: list[Directive], account: Account) -> tuple[bool, ...]:
    """For each name in these Allow and Deny lines, whether it matches this account."""
    return tuple(
        any(pattern_matches(group, pattern) for group in account.groups)
        if directive.keyword.endswith("groups")
        else pattern_matches(account.name, pattern.partition("@")[0])
        for directive in directives
        for pattern in directive.arguments
    )


def admitted(settings: dict[str, list[str]], account: Account, connection: Connection) -> bool:
    """Whether AllowUsers, DenyUsers, AllowGroups and DenyGroups permit this login, like allowed_user() in sshd.

    sshd -T prints a line for each name, so a name may contain blanks.
    """

    def is_user(pattern: str) -> bool:
        user, at, places = pattern.partition("@")
        return pattern_matches(account.name, user) and (not at or _comes_from(connection, places))

    def in_groups(pattern: str) -> bool:
        return any(pattern_matches(group, pattern) for group in account.groups)

    return all(
        not any(map(holds, settings.get(f"deny{what}", [])))
        and (not settings.get(f"allow{what}") or any(map(holds, settings[f"allow{what}"])))
        for what, holds in (("users", is_user), ("groups", in_groups))
    )


def _comes_from(connection: Connection, places: str) -> bool:
    """Like match_host_and_ip() in sshd: a negated match of address or name decides."""
    by_address = list_matches(places, functools.partial(_address_matches, connection.address))
    by_name = list_matches(places.lower(), functools.partial(pattern_matches, connection.host.lower()))
    return -1 not in (by_address, by_name) and 1 in (by_address, by_name)
