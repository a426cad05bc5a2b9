# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What sshd's settings mean for a login: which methods can succeed, and which ways in they make. Private."""

from __future__ import annotations

from typing import NamedTuple

from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.config import SshdConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.match import Account, Connection, admitted, setter
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.policy import PolicyReader

KEYBOARD_INTERACTIVE = "keyboard-interactive"
METHOD_KEYWORDS = {
    "publickey": ("pubkeyauthentication",),
    "password": ("passwordauthentication",),
    "hostbased": ("hostbasedauthentication",),
    "gssapi-with-mic": ("gssapiauthentication",),
    "gssapi-keyex": ("gssapiauthentication", "gssapikeyexchange"),
    # challengeresponseauthentication is only printed by versions in which it is a separate option.
    KEYBOARD_INTERACTIVE: ("kbdinteractiveauthentication", "challengeresponseauthentication", "usepam"),
}
_ROOT_NEEDS_YES = {"password", KEYBOARD_INTERACTIVE}


class Login(NamedTuple):
    """One account and connection, with the settings of sshd that apply to it."""

    account: Account
    connection: Connection
    settings: dict[str, list[str]]

    def value(self, keyword: str, default: str = "yes") -> str:
        return self.settings.get(keyword, [default])[0]

    @property
    def is_admitted(self) -> bool:
        return admitted(self.settings, self.account, self.connection)

    def disabled_by(self, method: str) -> str | None:
        """The keyword that prevents a method from succeeding, None if it can succeed."""
        name, _colon, device = method.partition(":")
        if device not in ("", "pam") or name not in METHOD_KEYWORDS:
            return "authenticationmethods"
        if self.account.uid == 0:
            permitted = self.value("permitrootlogin")
            if permitted == "no" or (permitted != "yes" and name in _ROOT_NEEDS_YES):
                return "permitrootlogin"
        return next((keyword for keyword in METHOD_KEYWORDS[name] if self.value(keyword) != "yes"), None)

    @property
    def methods(self) -> list[str]:
        return [method for method in METHOD_KEYWORDS if self.disabled_by(method) is None]

    @property
    def demanded(self) -> list[tuple[str, ...]]:
        """AuthenticationMethods as lists of methods; with `any`, each enabled method as a list of its own."""
        lists = self.value("authenticationmethods", "any").split()
        if lists == ["any"]:
            return [(method,) for method in self.methods]
        return [tuple(one.split(",")) for one in lists]

    @property
    def takes_any_method(self) -> bool:
        return self.value("authenticationmethods", "any") == "any"

    @property
    def ways_in(self) -> list[tuple[str, ...]]:
        if not self.is_admitted:
            return []
        return [way for way in self.demanded if all(self.disabled_by(method) is None for method in way)]

    @property
    def denied_because(self) -> str:
        """Why there is no way in."""
        if not self.is_admitted:
            return "AllowUsers, DenyUsers, AllowGroups or DenyGroups denies this account"
        disabled = [(method, self.disabled_by(method)) for way in self.demanded for method in way]
        told = dict.fromkeys(
            f"{method} ({keyword} {self.value(keyword, '')})" for method, keyword in disabled if keyword
        )
        return f"not offered: {', '.join(told)}" if told else "no method is enabled"

    @property
    def always_converses_later(self) -> bool:
        """Whether every way in has a keyboard-interactive round besides another method, which scripts cannot pass."""
        return bool(self.ways_in) and all(converses(way) and len(way) > 1 for way in self.ways_in)


def converses(way: tuple[str, ...]) -> bool:
    return any(method.partition(":")[0] == KEYBOARD_INTERACTIVE for method in way)


def login(reader: PolicyReader, account: Account, connection: Connection) -> Login:
    return Login(account, connection, reader.settings(account, connection))


def deciding_line(config: SshdConfig, one: Login, keyword: str) -> str:
    """The line that set this value for the login, as evidence."""
    line = setter(config, keyword, one.account, one.connection)
    return line.where if line else f"{keyword} {one.value(keyword, '')} (default or command line)"
