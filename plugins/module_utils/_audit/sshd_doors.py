# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The sshd processes and units of this host as doors: whether an enforced user gets in without a token. Private."""

from __future__ import annotations

from typing import Iterator, NamedTuple, Sequence

from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit.listeners import Listener
from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit.pam_doors import (
    COVERED,
    NOT_COVERED,
    NOT_JUDGED,
    NOT_REACHABLE,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.config import PamConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.pam_service import PamServices
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.accounts import login_accounts
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.binary import Sshd
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.config import SSHD_CONFIG, SshdConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.daemons import Daemon, daemons
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.pam_service import DEFAULT_SERVICE, service_of
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.plan import ANY_USER
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.second_daemon import daemon_problem
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import EnforcedGroup


class SshdDoor(NamedTuple):
    name: str
    where: list[str]
    state: str
    reason: str
    is_local: bool = False


class SshdDoors:
    """`running` are the listeners whose program is sshd."""

    def __init__(
        self, main: str, binary: str | None, group: str, config_of_pam: PamConfig, running: Sequence[Listener]
    ):
        self._sshd = Sshd(binary)
        self._main, self._group, self._running = main, group, running
        self._config = SshdConfig(main, version=self._sshd.version)
        self._pam = PamServices(config_of_pam, group=group)

    @property
    def pam_services(self) -> set[str]:
        """Those that these doors have judged."""
        named = [line for line in self._config.directives if line.keyword == "pamservicename" and line.arguments]
        return {DEFAULT_SERVICE, *(service_of({line.keyword: list(line.arguments)}) for line in named)}

    def doors(self) -> Iterator[SshdDoor]:
        accounts = login_accounts(self._config, EnforcedGroup(self._group).name)
        enforced = [*(one for one in accounts if self._group in one.groups), ANY_USER.joined(self._group)]
        found = daemons(self._main) if self._is_the_hosts else []
        for daemon in found or [Daemon("nothing", self._main, ())]:
            name = "sshd" if (daemon.config, daemon.options) == (self._main, ()) else _command(daemon)
            listening = self._listeners(daemon, found)
            problem = daemon_problem(daemon, self._sshd, enforced, self._group, {}, self._pam)
            state = COVERED if not problem else NOT_JUDGED if problem.startswith("cannot be") else NOT_COVERED
            reason = problem or f"every way in asks members of {self._group} for a token"
            if self._is_the_hosts and not found:
                state, reason = self._without_daemon(state, reason)
            where = [place for one in listening for place in one.where]
            if not where and daemon.shown_by.startswith("unit "):
                where = [daemon.shown_by.partition(" ")[2]]
            yield SshdDoor(name, where, state, reason, bool(listening) and all(one.is_local for one in listening))

    def _without_daemon(self, state: str, reason: str) -> tuple[str, str]:
        """Where no process has the title of a listening sshd: it runs not at all, or is older than 8.2."""
        if not self._running:
            return NOT_REACHABLE, "no sshd is running, and no socket starts one"
        given = [word for one in self._running for word in one.command[1:] if word[:2] in ("-f", "-o", "-p")]
        return (
            (NOT_JUDGED, f"sshd was started with options that are not read: {' '.join(given)}")
            if given
            else (state, reason)
        )

    @property
    def _is_the_hosts(self) -> bool:
        """A configuration that is only being tried out has no processes."""
        return self._main == SSHD_CONFIG or self._main in {daemon.config for daemon in daemons(SSHD_CONFIG)}

    def _listeners(self, daemon: Daemon, found: Sequence[Daemon]) -> list[Listener]:
        """Where it listens. Of processes with the same configuration only one is a daemon, and stands for the others."""
        mine = [one for one in self._running if daemon.shown_by in _shown_by(one)]
        others = {label for other in found for label in [other.shown_by]}
        rest = [one for one in self._running if not others & _shown_by(one)]
        is_main = (daemon.config, daemon.options) == (self._main, ())
        return [*mine, *(rest if is_main else [])]


def _shown_by(listener: Listener) -> set[str]:
    return {f"process {listener.process}", f"unit {listener.unit}"}


def _command(daemon: Daemon) -> str:
    return f"sshd -f {daemon.config} {' '.join(daemon.options)}".rstrip()


def try_sshd_doors(
    main: str, binary: str | None, group: str, config_of_pam: PamConfig, running: Sequence[Listener]
) -> tuple[list[SshdDoor], set[str]]:
    """The doors, and the PAM services that they have judged; an sshd that cannot be asked is a door that is not judged."""
    try:
        found = SshdDoors(main, binary, group, config_of_pam, running)
        return list(found.doors()), found.pam_services
    except FleetMfaError as error:
        where = [place for one in running for place in one.where]
        return ([SshdDoor("sshd", where, NOT_JUDGED, str(error))] if where else []), set()
