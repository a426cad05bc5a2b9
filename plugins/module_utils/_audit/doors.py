# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Every door of a host: each way to a session of an account, and whether it asks an enforced user for the token. Private.

Doors are sshd, the PAM services that people log in with, and other programs that listen and give sessions.
"""

from __future__ import annotations

import itertools
import os
from typing import Iterable, Iterator, NamedTuple, Sequence, TypedDict

from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit.known_doors import (
    LISTENERS,
    NO_LOGIN,
    SERVICES,
    KnownListener,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit.listeners import Listener, SocketUnits, listeners
from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit.pam_doors import (
    COVERED,
    NOT_COVERED,
    NOT_JUDGED,
    NOT_REACHABLE,
    DoorState,
    PamDoors,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit.sshd_doors import try_sshd_doors
from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit.sudo_rules import (
    SUDO_SERVICES,
    rules_without_password,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit.sudoers_files import SUDOERS
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.config import PamConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.commands import find_program

_SSHD = ("sshd", "sshd-session")
_GRAVITY = (NOT_COVERED, NOT_JUDGED, COVERED, NOT_REACHABLE)


class DoorReport(TypedDict):
    """`kind`: sshd, pam_service or listener. `where`: sockets, socket units, or console."""

    name: str
    kind: str
    where: list[str]
    program: str
    state: str
    reason: str


class JudgedDoor(NamedTuple):
    """`is_local`: only from a console, from this host, or from a session that somebody has already."""

    report: DoorReport
    is_local: bool


class DoorWish(NamedTuple):
    """Where to look; `services` are PAM services to judge besides those that are known."""

    config: str
    binary: str | None
    group: str
    state_dir: str
    services: Sequence[str] = ()
    sudoers: str = SUDOERS


class Doors:
    """`problems` is what could not be looked at."""

    def __init__(self, wish: DoorWish, config_of_pam: PamConfig | None = None, found: Iterable[Listener] | None = None):
        self._wish, self._config_of_pam = wish, config_of_pam or PamConfig()
        self._pam = PamDoors(self._config_of_pam, wish.group, wish.state_dir)
        self.problems: list[str] = []
        self._listeners = list(self._find() if found is None else found)

    def _find(self) -> list[Listener]:
        units = SocketUnits()
        found = [*listeners(), *units.listeners()]
        self.problems += [f"socket units: {units.problem}"] if units.problem else []
        return found

    def all(self) -> list[JudgedDoor]:
        wish = self._wish
        running = [one for one in self._listeners if _known_name(one, _SSHD)]
        of_sshd, judged = try_sshd_doors(wish.config, wish.binary, wish.group, self._config_of_pam, running)
        program = find_program(wish.binary or "sshd") or ""
        doors = [
            _door(one.name, "sshd", one.where, program, DoorState(one.state, one.reason), one.is_local)
            for one in of_sshd
        ]
        others = [one for one in self._listeners if one not in running]
        return [*doors, *self._of_pam(judged, others), *self._of_listeners(others)]

    def _of_pam(self, judged: set[str], others: Sequence[Listener]) -> Iterator[JudgedDoor]:
        """The PAM services that people log in with; those that sshd uses have been judged with sshd."""
        named = dict.fromkeys(self._wish.services)
        for service in itertools.chain(named, (name for name in self._pam.services() if name not in named)):
            if service in judged or (service in NO_LOGIN and service not in named):
                continue
            known = SERVICES.get(service)
            program = next(filter(None, map(_existing, known.programs)), "") if known else ""
            where = [place for one in others if service in _services_of(one) for place in one.where]
            is_local = known.is_local and not where if known else False
            judgement = self._judge(service)
            if known and not program and not where and service not in named:
                judgement = DoorState(NOT_REACHABLE, f"this host has no {known.programs[0]}")
            elif known is None and service not in named and judgement.state not in (COVERED, NOT_REACHABLE):
                judgement = DoorState(
                    NOT_JUDGED,
                    f"not known whether people log in with PAM service {service}; name it in option services to judge it",
                )
            elif where and all(one.is_local for one in others if service in _services_of(one)):
                is_local = True
            yield _door(
                service, "pam_service", where or (["console"] if is_local else []), program, judgement, is_local
            )

    def _judge(self, service: str) -> DoorState:
        judgement = self._pam.judge(service)
        if service not in SUDO_SERVICES or judgement.state != COVERED:
            return judgement
        places = rules_without_password(self._wish.group, self._wish.sudoers)
        if not places:
            return judgement
        rules = f"rules of sudo ask a member of {self._wish.group} for nothing: {', '.join(places)}"
        return DoorState(NOT_COVERED, f"{judgement.reason}, but {rules}")

    def _of_listeners(self, others: Sequence[Listener]) -> Iterator[JudgedDoor]:
        for one in others:
            name = _known_name(one, LISTENERS)
            if not name:
                continue
            judgement = self._of_listener(name, LISTENERS[name])
            if one.is_local and judgement.state != COVERED:
                judgement = DoorState(NOT_REACHABLE, f"only this host reaches it; {judgement.reason}")
            yield _door(name, "listener", one.where, one.program, judgement, one.is_local)

    def _of_listener(self, name: str, known: KnownListener) -> DoorState:
        """The gravest of its PAM services, where this host has them; the first one, which falls back to `other`, where not."""
        if not known.services:
            return DoorState(known.state, known.reason)
        services = [service for service in known.services if self._pam.has(service)] or known.services[:1]
        return min(map(self._pam.judge, services), key=lambda one: _GRAVITY.index(one.state))


def _door(name: str, kind: str, where: Iterable[str], program: str, judgement: DoorState, is_local: bool) -> JudgedDoor:
    told = list(dict.fromkeys(where))
    report: DoorReport = {
        "name": name,
        "kind": kind,
        "where": told,
        "program": program,
        "state": judgement.state,
        "reason": judgement.reason,
    }
    return JudgedDoor(report, is_local)


def _known_name(one: Listener, names: Iterable[str]) -> str:
    """An interpreter's name says nothing, but that of what it runs, and the title that a process has given itself, do."""
    words = [one.name, *(os.path.basename(word).rstrip(":") for word in one.command[:2])]
    return next((word for word in words if word in names), "")


def _services_of(one: Listener) -> tuple[str, ...]:
    name = _known_name(one, LISTENERS)
    return LISTENERS[name].services if name else ()


def _existing(program: str) -> str:
    if program.startswith("/"):
        return program if os.path.exists(program) else ""
    return find_program(program) or ""
