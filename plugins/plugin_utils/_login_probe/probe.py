# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""One user on one host: waits for a turn, connects, logs in. Private to the collection."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import defaultdict
from typing import Any, NamedTuple

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._login_probe.client_keys import agent_keys
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._login_probe.deadline import Deadline
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._login_probe.known_hosts import KnownHosts
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._login_probe.login import ProbedLogin
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._login_probe.prompts import LoginPrompts
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._login_probe.row import (
    ERROR,
    NotJudgedError,
    ProbeRow,
    ProbeStep,
    ProbeVerdict,
)
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._login_probe.transport import open_transport
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._ssh_totp.answers import PromptAnswers, TokenSource
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._ssh_totp.prompts import PromptRules
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._ssh_totp.target import LoginTarget
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._ssh_totp.token_key import TokenKey
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._ssh_totp.used_steps import StepsFolder, UsedSteps

# Below the first number of sshd's MaxStartups (10:30:100), from which on it drops some.
CONNECTIONS_OF_HOST = 5


class Probe(NamedTuple):
    """`host` and `name` are for people, `address`, `port` and `user` for the login."""

    host: str
    name: str
    address: str
    port: int
    user: str
    expected: str
    rules: PromptRules
    keys: tuple[Any, ...] = ()
    agent: bool = False
    password: str | None = None
    token_key: TokenKey | None = None
    claims: str = "local"

    def __repr__(self) -> str:
        return "Probe()"  # the content is secret, even in a traceback


class Prober:
    """Makes rows of probes, in any number of threads."""

    def __init__(self, known: KnownHosts, folder: StepsFolder, seconds: float):
        self._known, self._folder, self._seconds = known, folder, seconds
        self._slots: dict[tuple[str, int], threading.Semaphore] = defaultdict(
            lambda: threading.Semaphore(CONNECTIONS_OF_HOST)
        )
        self._slots_lock = threading.Lock()

    def row(self, probe: Probe) -> ProbeRow:
        steps: list[ProbeStep] = []
        with contextlib.ExitStack() as stack:
            start = time.monotonic()
            try:
                used = self._used_steps(probe)
                if probe.token_key:
                    self._take_turn(stack, used, probe.token_key.period)
                stack.enter_context(self._slot(probe))
                start = time.monotonic()
                verdict = self._login(probe, used, steps)
            except (NotJudgedError, FleetMfaError) as error:
                verdict = ProbeVerdict(ERROR, str(error))
            except Exception as error:
                # One host that confuses the library is no reason to lose all others. Its text may hold anything.
                verdict = ProbeVerdict(ERROR, f"the probe itself failed ({type(error).__name__})")
            seconds = round(time.monotonic() - start, 2)
        return ProbeRow(probe.host, probe.name, probe.expected, verdict.result, verdict.reason, steps, seconds)

    def _login(self, probe: Probe, used: UsedSteps, steps: list[ProbeStep]) -> ProbeVerdict:
        deadline = Deadline(self._seconds)
        source = TokenSource(lambda: probe.token_key, lambda: None)
        answers = PromptAnswers(
            probe.rules, probe.password, lambda _jump: source, lambda _jump: used, lambda _text: None
        )
        prompts = LoginPrompts(probe.rules, answers, probe.token_key is not None, probe.password)
        with contextlib.ExitStack() as stack:
            of_agent = stack.enter_context(agent_keys(probe.agent))
            transport = stack.enter_context(open_transport(probe.address, probe.port, self._known, deadline))
            login = ProbedLogin(transport, probe.user, [*probe.keys, *of_agent], prompts, deadline)
            try:
                return login.verdict()
            finally:
                steps.extend(login.steps)

    def _used_steps(self, probe: Probe) -> UsedSteps:
        target = LoginTarget(probe.user, probe.address.lower(), str(probe.port), "", False)
        return target.used_steps(self._folder, probe.claims)

    @staticmethod
    def _take_turn(stack: contextlib.ExitStack, used: UsedSteps, period: int) -> None:
        """As connection ssh_totp does, so that both together use no token twice. The host is not kept waiting."""
        turn = used.turn()
        stack.callback(turn.release)
        turn.take(wait=True)
        while (seconds := used.free_in(period)) > 0:
            time.sleep(seconds)

    def _slot(self, probe: Probe) -> threading.Semaphore:
        with self._slots_lock:
            return self._slots[probe.address, probe.port]
