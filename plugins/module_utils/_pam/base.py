# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The PAM service that users would have without our policy, and which of its rules another service lacks. Private.

The base is what applied on the host before, for every type: `account` decides who may log in, `session` what a session
may do. A service that replaces the base must run exactly its lines, with its own `auth` lines before them.
"""

from __future__ import annotations

from typing import Iterable

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.account_check import SHARED_FILE
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.config import TYPES, Line, PamConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.texts import bytes_of, text_of
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.block import ACCOUNT_BLOCK, BLOCK, split


def without_us(config: PamConfig, services: Iterable[str]) -> PamConfig:
    """The same folder with these services, and the file they share, without our blocks."""
    overlay = {}
    for service in (*services, SHARED_FILE):
        found = config.find_file(service)
        if found is not None:
            path, text = found
            content = bytes_of(text)
            for name in (BLOCK, ACCOUNT_BLOCK):
                content = split(content, path, name).without
            overlay[path] = text_of(content)
    return config.overlaid(overlay)


def lost_rules(config: PamConfig, base: str, service: str) -> list[str]:
    """What `base` does but `service` does not, one text each; empty if `service` fully replaces it."""
    if service == base:
        return []
    if config.find_file(base) is None:
        return [f"there is no PAM service {base}"]
    lost = []
    for kind in TYPES:
        wanted, there = _lines(config, base, kind), _lines(config, service, kind)
        if kind == "auth":
            there = there[len(there) - len(wanted) :] if wanted else there[:0]
        if there != wanted:
            lost.append(f"the {kind} lines of {base} and {service} differ{_example(wanted, there)}")
    return lost


def _lines(config: PamConfig, service: str, kind: str) -> list[tuple[object, ...]]:
    lines: Iterable[Line]
    if kind == "auth":
        stack = config.auth_stack(service)
        if stack.problem:
            raise FleetMfaError(f"libpam cannot load PAM service {service}: {stack.problem}")
        lines = stack.lines
    else:
        lines = [line for line in config.lines(service) if line.type == kind]
    return [
        (line.place, line.control, line.module, line.level, line.kind, line.arguments, line.problem) for line in lines
    ]


def _example(wanted: list[tuple[object, ...]], there: list[tuple[object, ...]]) -> str:
    """One line as an example: a missing one or, if there is none, an added one."""
    missing = [line for line in wanted if line not in there]
    added = [line for line in there if line not in wanted]
    if missing:
        return f": {missing[0][0]} {missing[0][2]} is missing"
    return f": {added[0][0]} {added[0][2]} is added" if added else ": they are in another order"
