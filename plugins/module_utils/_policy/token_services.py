# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Plans the PAM services of a roll-out together: sshd's, and other doors of the host (docs/doors.md). Private to the collection."""

from __future__ import annotations

from typing import Iterable, NamedTuple, Sequence

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.config import PamConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.plan import PamWish, ProvenFacts, plan_pam_totp
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.files import FileChange


class ServiceReport(ProvenFacts):
    """An entry of the return value `pam`."""

    service: str
    path: str


class PlannedServices(NamedTuple):
    """`coming` are changes of services that have token lines afterwards, `going` of those that have none."""

    coming: list[FileChange]
    going: list[FileChange]
    reports: list[ServiceReport]


def plan_services(wishes: Sequence[PamWish]) -> PlannedServices:
    """Other doors are proven last: one of them may include a service that is changed too."""
    plan = PlannedServices([], [], [])
    for wish in [*(one for one in wishes if not _is_door(one)), *_included_first(filter(_is_door, wishes))]:
        service, present = wish["service"], wish["state"] == "present"
        if present and not wish["content"]:
            raise FleetMfaError(f"pam: service {service} has no content; give the PAM lines that ask for the token")
        if _is_door(wish) and service in (report["service"] for report in plan.reports):
            raise FleetMfaError(
                f"pam: service {service} is named twice; if sshd uses it too (PAMServiceName), it asks for the token "
                "already, so leave it out (mfa_services)"
            )
        planned = plan_pam_totp(wish, {change.path: change.after for change in [*plan.coming, *plan.going]})
        (plan.coming if present else plan.going).append(planned.change)
        plan.reports.append({"service": service, "path": planned.change.path, **planned.facts})
    return plan


def _is_door(wish: PamWish) -> bool:
    return wish["after_password"] and wish["state"] == "present"


def _included_first(wishes: Iterable[PamWish]) -> list[PamWish]:
    """A service runs lines of more files than any service that it includes. By name otherwise, so that the order never changes."""
    return sorted(wishes, key=lambda wish: (len({wish["service"], *_files(wish)}), wish["service"]))


def _files(wish: PamWish) -> set[str]:
    lines = PamConfig(wish["confdir"]).auth_stack(wish["service"]).lines
    return {line.file.rpartition("/")[2] for line in lines}
