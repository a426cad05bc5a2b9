# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Whom sudoers(5) lets run commands as root on this host. Private to the collection.

Errs on the side of calling somebody an administrator: one command as root is enough, whatever it is, and a later line that
takes it back does not count. What cannot be judged is in `problems`.
"""

from __future__ import annotations

import fnmatch
import os
import re
from typing import Iterable, Iterator, NamedTuple

from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit.sudoers_files import (
    SUDOERS,
    SudoersFiles,
    SudoersLine,
)

EVERYBODY = "ALL"
_ALIAS = re.compile(r"(?P<kind>User|Runas|Host|Cmnd|Cmd)_Alias\s+(?P<rest>.+)")
_DEFAULTS = re.compile(r"Defaults(?:\s|[@:>!])")
_OTHERS_PASSWORD = re.compile(r"^Defaults\s.*\b(?<!!)(?:targetpw|rootpw|runaspw)\b")
_ITEM = re.compile(r'\s*((?:!\s*)*)((?:[%+:#-]|%:)?"(?:[^"\\]|\\.)*"|(?:\\.|[^\s,=\\])+)\s*')
_ALIAS_NAME = re.compile(r"[A-Z][A-Z0-9_]*")
_RUNAS = re.compile(r"\s*\((?P<users>[^:)]*)(?P<groups>:[^)]*)?\)")
_OPTION = re.compile(r"\s*(?:ROLE|TYPE|APPARMOR_PROFILE|PRIVS|LIMITPRIVS|CWD|CHROOT|TIMEOUT|NOTBEFORE|NOTAFTER)=\S+")
_NO_PASSWORD = re.compile(r"\bNOPASSWD\s*:")
_NEVER_ASKS = re.compile(r"^Defaults.*(?:!\s*authenticate\b|\bexempt_group\b)")
_MOST_NESTED = 50


class Administrator(NamedTuple):
    """Somebody named by a line: `kind` is user, uid, group or gid; the user ALL is everybody."""

    kind: str
    name: str
    place: str


class _Spec(NamedTuple):
    """One user specification; `rest` is what follows the list of users."""

    line: SudoersLine
    users: list[str]
    rest: str


class Sudoers:
    """What the files say, in the order of the lines; `without_password` are those whom a rule asks for nothing."""

    def __init__(self, path: str = SUDOERS, hostname: str | None = None):
        files = SudoersFiles(path)
        self.problems = list(files.problems)
        self._hostname = hostname or os.uname().nodename
        self._aliases: dict[tuple[str, str], list[str]] = {}
        specs = [spec for spec in map(self._read, files.lines) if spec]
        asks_other = any(_OTHERS_PASSWORD.match(line.text) for line in files.lines)
        self.administrators: list[Administrator] = []
        self.without_password = [
            Administrator("user", EVERYBODY, line.place) for line in files.lines if _NEVER_ASKS.match(line.text)
        ]
        for spec in specs:
            commands = [grant[1] for grant in _grants(spec.rest) if self._is_for_this_host(spec, grant[0])]
            if any(map(_NO_PASSWORD.search, commands)):
                self.without_password += self._asked_for_nothing(spec)
            found = list(self._people(spec.line, spec.users)) if any(map(self._grants_root, commands)) else []
            if asks_other and any(one.name == EVERYBODY for one in found):
                self.problems.append(
                    f"{spec.line.place}: everybody may use sudo who knows the password of the other account "
                    "(targetpw, rootpw or runaspw)"
                )
                found = [one for one in found if one.name != EVERYBODY]
            self.administrators += found

    def _read(self, line: SudoersLine) -> _Spec | None:
        alias = _ALIAS.fullmatch(line.text)
        if alias and alias["kind"] in ("Cmnd", "Cmd"):
            return None
        if alias:
            self._define(line, alias["kind"], alias["rest"])
            return None
        if _DEFAULTS.match(line.text):
            return None
        users, rest = _list(line.text)
        if not users or "=" not in rest:
            self.problems.append(f"{line.place}: is not a line that sudo understands")
            return None
        return _Spec(line, users, rest)

    def _define(self, line: SudoersLine, kind: str, text: str) -> None:
        for one in re.split(r"(?<!\\):(?=\s*[A-Z][A-Z0-9_]*\s*=)", text):
            name, _equals, members = one.partition("=")
            found, rest = _list(members)
            if rest.strip() or not _ALIAS_NAME.fullmatch(name.strip()):
                self.problems.append(f"{line.place}: an alias that cannot be read")
            self._aliases[kind, name.strip()] = found

    def _asked_for_nothing(self, spec: _Spec) -> Iterator[Administrator]:
        """Whose name cannot be judged may be anybody."""
        for user in self._resolved("User", spec.users):
            if not user.startswith("!"):
                yield _person(user, spec.line.place) or Administrator("user", EVERYBODY, spec.line.place)

    def _is_for_this_host(self, spec: _Spec, text: str) -> bool:
        hosts, _rest = _list(text)
        names = {self._hostname, self._hostname.partition(".")[0], EVERYBODY}
        for host in self._resolved("Host", hosts):
            if host.startswith("!"):
                continue
            if host in names or fnmatch.fnmatch(self._hostname, host):
                return True
            if host.startswith("+") or re.match(r"[\d.:/a-fA-F]+$", host):
                self.problems.append(f"{spec.line.place}: whether this host is meant by {host} is not judged")
                return True
        return False

    def _grants_root(self, commands: str) -> bool:
        runas = "root"
        for command in re.split(r"(?<!\\),", _joined_runas(commands)):
            found = _RUNAS.match(command)
            if found:
                runas, command = found["users"].replace("\0", ",").strip(), command[found.end() :]
                # "(:group)" is the user's own account; "()" too.
                runas = runas or "the user"
            if command.strip() and not command.strip().startswith("!") and self._is_root(runas):
                return True
        return False

    def _is_root(self, runas: str) -> bool:
        names, _rest = _list(runas)
        return any(name in ("root", "#0", EVERYBODY) or name[:1] in "%+" for name in self._resolved("Runas", names))

    def _people(self, line: SudoersLine, users: list[str]) -> Iterator[Administrator]:
        for user in self._resolved("User", users):
            if user.startswith("!"):
                continue
            found = _person(user, line.place)
            if found is None:
                self.problems.append(f"{line.place}: who is {user} is not judged")
            else:
                yield found

    def _resolved(self, kind: str, names: Iterable[str], depth: int = 0) -> Iterator[str]:
        """The members of aliases in place of their names; a negated alias excludes somebody, which is not judged."""
        for name in names:
            members = self._aliases.get((kind, name))
            if members is None or depth > _MOST_NESTED:
                yield name
            else:
                yield from self._resolved(kind, members, depth + 1)


def _person(user: str, place: str) -> Administrator | None:
    if user.startswith("%:") or user.startswith("+"):
        return None
    if user.startswith("%"):
        name = user[1:]
        return Administrator("gid", name[1:], place) if name.startswith("#") else Administrator("group", name, place)
    if user.startswith("#"):
        return Administrator("uid", user[1:], place)
    if user != EVERYBODY and _ALIAS_NAME.fullmatch(user) and user.isupper():
        return None  # an alias that is not defined
    return Administrator("user", user, place)


def _list(text: str) -> tuple[list[str], str]:
    """The names of a list separated by commas, and what follows it."""
    names: list[str] = []
    while True:
        found = _ITEM.match(text)
        if not found:
            return names, text
        negated = "!" if found[1].count("!") % 2 else ""
        names.append(negated + re.sub(r"\\(.)", r"\1", found[2].replace('"', "")))
        text = text[found.end() :]
        if not text.startswith(","):
            return names, text
        text = text[1:]


def _grants(text: str) -> Iterator[tuple[str, str]]:
    """Each `HOSTS = (RUNAS) COMMANDS` of a line, separated by colons, is one grant: its hosts, and the rest."""
    hosts, equals, commands = text.partition("=")
    while equals:
        # The next grant begins after a colon that a list of hosts and an equals sign follow; options such as CWD= have none before.
        following = re.search(r"(?<!\\):(?![^()]*\))(?=[^=:]*=)", _OPTION.sub(lambda one: " " * len(one[0]), commands))
        here, rest = (commands[: following.start()], commands[following.end() :]) if following else (commands, "")
        yield hosts, here
        hosts, equals, commands = rest.partition("=")


def _joined_runas(commands: str) -> str:
    """Commas inside a list of runas users do not separate commands."""
    return re.sub(r"\(([^)]*)\)", lambda found: "(" + found[1].replace(",", "\0") + ")", commands)
