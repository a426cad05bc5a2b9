# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Whether enforced users can get in without a token through another sshd on this host. Private to the collection."""

from __future__ import annotations

from typing import Iterator, Mapping

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._findings import Finding
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.binary import Sshd
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.config import SSHD_CONFIG, SshdConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.daemons import Daemon
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.login import login
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.match import Account
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.policy import PolicyReader, user_classes
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.verdict import CAN_BYPASS, AssumedPam, verdict


def second_daemons(running: list[Daemon], main: str) -> list[Daemon]:
    """The daemons with a configuration other than `main`, or with options that override it.

    None if this host's sshd does not use `main`: a configuration that is only being tried out has no second daemon.
    """
    if main != SSHD_CONFIG and main not in {daemon.config for daemon in running}:
        return []
    return [daemon for daemon in running if daemon.config != main or daemon.options]


def second_daemon_findings(
    seconds: list[Daemon],
    sshd: Sshd,
    enforced: list[Account],
    group: str,
    overlay: Mapping[str, bytes | None],
    pam: AssumedPam,
) -> Iterator[Finding]:
    for daemon in seconds:
        problem = daemon_problem(daemon, sshd, enforced, group, overlay, pam)
        if problem:
            yield Finding("sshd_second_daemon", (f"{daemon}: {problem}",))


def daemon_problem(
    daemon: Daemon,
    first: Sshd,
    enforced: list[Account],
    group: str,
    overlay: Mapping[str, bytes | None],
    pam: AssumedPam,
) -> str:
    """How one of these accounts gets in without a token through this sshd, or why that cannot be told; "" if none does."""
    sshd = Sshd(first.binary, daemon.options)
    try:
        with PolicyReader(sshd, SshdConfig(daemon.config, overlay, sshd.version)) as reader:
            ones = [members[0] for members in user_classes(reader.config, enforced, group)]
            logins = [login(reader, one, each) for one in ones for each in reader.connections()]
    except FleetMfaError as error:
        return f"cannot be checked ({error})"
    finally:
        first.calls += sshd.calls
    open_to = any(verdict(one, True, pam).said == CAN_BYPASS for one in logins)
    return "enforced users get in without a token" if open_to else ""
