# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What mfa_services may contain, as far as no host has to be asked (docs/doors.md). Private to the collection."""

from __future__ import annotations

from typing import Any, Iterator, Mapping

from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.door_services import REFUSED

SSHD = "sshd"


def door_problems(settings: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the doors; names of settings are without mfa_. Only names that are in our own table are shown."""
    services = settings.get("services")
    if services is None:
        return
    if SSHD not in services:
        yield "mfa_services: must contain sshd, which always asks; the other services are in addition to it"
    for service in dict.fromkeys(services):
        if service in REFUSED and service != SSHD:
            yield f"mfa_services: {service} cannot ask for a token after the password: {REFUSED[service]}"
