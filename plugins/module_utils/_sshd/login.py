# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What sshd's settings mean for a login: the ways in, whether the token is asked for, what is wrong. Private."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, Iterable, Iterator, NamedTuple

from ansible_collections.fleetmfa.ssh.plugins.module_utils._findings import Finding
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.config import SshdConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.match import Account, Connection, admitted, setter
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.pam_service import service_of
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
_WITHOUT_TOKEN = {
    "publickey": "sshd_publickey_without_token",
    "password": "sshd_password_without_token",
    "hostbased": "sshd_hostbased_without_token",
    "gssapi-with-mic": "sshd_gssapi_without_token",
    "gssapi-keyex": "sshd_gssapi_without_token",
}
_ROOT_NEEDS_YES = {"password", KEYBOARD_INTERACTIVE}
_PAM_FOLDERS = ("/etc/pam.d", "/usr/lib/pam.d", "/usr/etc/pam.d")


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

    def verdict(self, enforced: bool) -> str:
        ways = self.ways_in
        if not ways:
            return "locked_out"
        asked = [has_token(way) and (enforced or len(way) > 1) for way in ways]
        if all(asked):
            return "asked"
        return "can_bypass" if enforced else "not_asked"


def has_token(way: tuple[str, ...]) -> bool:
    return any(method.partition(":")[0] == KEYBOARD_INTERACTIVE for method in way)


def login(reader: PolicyReader, account: Account, connection: Connection) -> Login:
    return Login(account, connection, reader.settings(account, connection))


def deciding_line(config: SshdConfig, one: Login, keyword: str) -> str:
    """The line that set this value for the login, as evidence."""
    line = setter(config, keyword, one.account, one.connection)
    return line.where if line else f"{keyword} {one.value(keyword, '')} (default or command line)"


class ServiceFiles:
    """Whether a PAM service has a file. Its content is checked by _policy/pam_service.py."""

    def has_file(self, service: str) -> bool:
        return any((Path(folder) / service).is_file() for folder in _PAM_FOLDERS)

    def findings(self, one: Login) -> Iterable[Finding]:
        """What is wrong with the PAM service that this enforced user is sent to."""
        return ()


def findings_of_enforced(config: SshdConfig, one: Login, pam: ServiceFiles | None = None) -> Iterator[Finding]:
    """What is wrong with this enforced user's login; `pam` are the PAM services as they will be then."""
    pam = pam or ServiceFiles()
    if not one.is_admitted:
        return  # denied by name (AllowUsers and so on), as the administrator intended

    def told(finding: str, keyword: str) -> Finding:
        return Finding(finding, (deciding_line(config, one, keyword),))

    if one.value("usepam") != "yes":
        yield told("sshd_pam_disabled", "usepam")
    elif not one.ways_in:
        yield from _lock_out(one, told)
    if not pam.has_file(service_of(one.settings)):
        yield told("sshd_pam_service_missing", "pamservicename")
    elif any(map(has_token, one.ways_in)):
        yield from pam.findings(one)
    for way in one.ways_in:
        if not has_token(way):
            if one.takes_any_method:
                yield told("sshd_any_method", "authenticationmethods")
            for method in way:
                yield told(
                    _WITHOUT_TOKEN[method],
                    "authenticationmethods" if not one.takes_any_method else METHOD_KEYWORDS[method][0],
                )
        elif "password" in way:
            yield told("sshd_password_before_keyboard_interactive", "authenticationmethods")


def _lock_out(one: Login, told: Callable[[str, str], Finding]) -> Iterator[Finding]:
    for way in one.demanded or [("publickey", KEYBOARD_INTERACTIVE)]:
        for method in way:
            keyword = one.disabled_by(method)
            if keyword == "permitrootlogin":
                yield told("sshd_root_cannot_pass", keyword)
            elif keyword and method.partition(":")[0] == KEYBOARD_INTERACTIVE and keyword != "authenticationmethods":
                yield told("sshd_keyboard_interactive_disabled", keyword)
            elif keyword:
                yield told("sshd_method_disabled", keyword)
